/* SPDX-License-Identifier: Apache-2.0
 * What a command with one id sees and leaves: the tables say what real root would. */
#include "sandbox_scene.h"

static void look_owners(const struct owners *owners, int upper)
{
	static const struct {
		const char *name;
		uid_t uid;
		gid_t gid;
		mode_t mode;
	} wanted[] = {
		{"data/file", 5, 6, S_IFREG | 0750},
		{"data/dir", 7, 8, S_IFDIR | 02755},
		{"data/link", 9, 10, S_IFLNK | 0777},
		{"data/moved", 11, 12, S_IFLNK | 0777},
		{"data/pipe", 13, 14, S_IFIFO | 0644},
		{"data/big", 4294967294U, 60000, S_IFREG | 0644},
		{"data/root", 0, 0, S_IFREG | 0644},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		struct stat st;

		REQUIRE(fstatat(upper, wanted[i].name, &st, AT_SYMLINK_NOFOLLOW) == 0);
		REQUIRE(owner_read(owners, upper, wanted[i].name, &st) == 0);
		if (st.st_uid != wanted[i].uid || st.st_gid != wanted[i].gid ||
		    st.st_mode != wanted[i].mode)
			fprintf(stderr, "%s is %u:%u %o\n", wanted[i].name, st.st_uid, st.st_gid,
				st.st_mode);
		REQUIRE(st.st_uid == wanted[i].uid && st.st_gid == wanted[i].gid);
		REQUIRE(st.st_mode == wanted[i].mode);
	}
}

#define OWNERS_SCRIPT                                                                              \
	"cd /data; umask 022; touch file big root; chown 5:6 file; chmod 750 file; mkdir dir; "    \
	"chown 7:8 dir; chmod 2755 dir; ln -s x link; chown -h 9:10 link; ln -s y first; "         \
	"chown -h 11:12 first; mv first moved; mkfifo pipe; chown 13:14 pipe; "                    \
	"chown 4294967294:60000 big; chown 1:1 root; chown 0:0 root"

static const struct script_case script_cases[] = {
	{.what = "owners of every kind of file",
	 .script = OWNERS_SCRIPT "; stat -c '%n %u:%g %a' file dir link moved pipe big root",
	 .output = "file 5:6 750\ndir 7:8 2755\nlink 9:10 777\nmoved 11:12 777\npipe 13:14 644\n"
		   "big 4294967294:60000 644\nroot 0:0 644\n",
	 .look = look_owners},
	{.what = "one half of an owner",
	 .script =
		 "cd /data; touch a; chown 5 a; chgrp 6 a; stat -c %u:%g a; chown 7 a; stat -c %u:%g a",
	 .output = "5:6\n7:6\n"},
	{.what = "a file of the layers below",
	 .script =
		 "cd /data; chown 5:6 gone; stat -c %u:%g gone; cat gone; mv gone here; stat -c %u:%g here",
	 .output = "5:6\nx5:6\n"},
	{.what = "a symlink is followed, and not",
	 .script = "cd /data; ln -s gone l; chown 5:6 l; stat -c %u:%g l gone; stat -L -c %u:%g l; "
		   "chown -h 7:8 l; stat -c %u:%g l gone",
	 .output = "0:0\n5:6\n5:6\n7:8\n5:6\n"},
	{.what = "set-id bits go with a chown",
	 .script =
		 "cd /data; touch a; chmod 6755 a; chown 5:6 a; stat -c %a a; chmod 4755 a; stat -c %a a",
	 .output = "755\n4755\n"},
	{.what = "hard links share an owner",
	 .script = "cd /data; touch a; ln a b; chown 5:6 b; stat -c %u:%g a",
	 .output = "5:6\n"},
	{.what = "a number used again has no owner of before",
	 .script =
		 "cd /data; for i in 1 2 3 4 5 6 7 8; do ln -s x a; chown -h 5:6 a; rm a; ln -s x a; "
		 "stat -c %u:%g a; rm a; done | sort -u",
	 .output = "0:0\n"},
	{.what = "by descriptor",
	 .script =
		 "cd /data; python3 -c 'import os; f = os.open(\"a\", os.O_CREAT | os.O_RDWR); "
		 "os.fchown(f, 5, 6); s = os.fstat(f); print(s.st_uid, s.st_gid)'; stat -c %u:%g a",
	 .output = "5 6\n5:6\n"},
	{.what = "through /proc/self",
	 .script = "cd /data; touch a; exec 5<a; chown 5:6 /proc/self/fd/0 <a; stat -c %u:%g a; "
		   "stat -L -c %u:%g /proc/self/fd/0 <a",
	 .output = "5:6\n5:6\n"},
	{.what = "what is not there",
	 .script =
		 "cd /data; chown 5:6 nothing 2>&1; chown 5:6 gone/x 2>&1; chown 5:6 '' 2>&1; echo $?",
	 .output = "chown: cannot access 'nothing': No such file or directory\n"
		   "chown: cannot access 'gone/x': Not a directory\n"
		   "chown: cannot access '': No such file or directory\n1\n"},
	{.what = "copies by cp and tar",
	 .script =
		 "cd /data; mkdir s; touch s/a; chown 5:6 s s/a; ln -s a s/l; chown -h 7:8 s/l; cp -a s c; "
		 "mkdir t; tar cf - s | tar xpf - -C t; stat -c %u:%g c c/a c/l t/s t/s/a t/s/l | tr '\\n' ' '",
	 .output = "5:6 5:6 7:8 5:6 5:6 7:8 "},
	{.what = "the record is no attribute of the file",
	 .script =
		 "cd /data; touch a; chown 5:6 a; python3 -c 'import os; os.setxattr(\"a\", \"user.x\", b\"1\"); "
		 "print(os.listxattr(\"a\"))'",
	 .output = "['user.x']\n"},
	{.what = "devices look like devices",
	 .script =
		 "cd /data; mknod n c 1 3; mknod -m 600 b b 8 1; stat -c '%F %t:%T %a' n b; chown 5:6 n; "
		 "stat -c %u:%g n; test -c n && test -b b; cp -a n m; stat -c '%F %t:%T %u' m",
	 .output = "character special file 1:3 644\nblock special file 8:1 600\n5:6\n"
		   "character special file 1:3 5\n"},
	{.what = "a directory with the set-group-id bit hands its group on",
	 .script =
		 "cd /data; mkdir d; chown 0:50 d; chmod 2775 d; touch d/f; mkdir d/e; ln -s x d/l; mkfifo d/p; "
		 "echo x >d/w; touch out; mv out d/; umask 027; touch d/g; stat -c '%n %g %a' d/* | tr '\\n' ' '",
	 .output =
		 "d/e 50 2755 d/f 50 644 d/g 50 640 d/l 50 777 d/out 0 644 d/p 50 644 d/w 50 644 "},
	{.what = "another user",
	 .uid = 1000,
	 .gid = 100,
	 .script = "id -u; id -g; id -G; mkdir /tmp/d; touch /tmp/d/f; ln -s x /tmp/d/l; "
		   "stat -c %u:%g /tmp/d /tmp/d/f /tmp/d/l",
	 .output = "1000\n100\n100\n1000:100\n1000:100\n1000:100\n"},
	{.what = "ids are set and asked for as with many",
	 .script = "python3 -uc 'import os\n"
		   "os.setgroups([4, 5]); os.setresgid(7, 8, 9); os.setresuid(1, 2, 3)\n"
		   "print(os.getresuid(), os.getresgid(), os.getgroups())\n"
		   "try: os.setuid(0)\n"
		   "except PermissionError: print(\"no\")\n"
		   "os.setuid(3); print(os.getresuid())\n"
		   "pid = os.fork()\n"
		   "if pid == 0: os.execvp(\"id\", [\"id\", \"-u\"])\n"
		   "os.waitpid(pid, 0)'",
	 .output = "(1, 2, 3) (7, 8, 9) [4, 5]\nno\n(1, 3, 3)\n3\n"},
	{.what = "ids outlive a program that sets all limits",
	 .script = "setpriv --reuid=5 --clear-groups python3 -uc 'import os, resource\n"
		   "print(resource.prlimit(0, 10))\n"
		   "resource.setrlimit(10, (3, 4)); resource.prlimit(0, 10, (-1, -1))\n"
		   "print(resource.getrlimit(10), os.getuid())'",
	 .output = "(-1, -1)\n(-1, -1) 5\n"},
	{.what = "who is not root may not give files away",
	 .script =
		 "cd /data; setpriv --reuid=5 --regid=6 --clear-groups sh -c 'touch /tmp/a; chown 7 /tmp/a; "
		 "chgrp 7 /tmp/a; chgrp 6 /tmp/a && echo own; mknod /tmp/n c 1 3' 2>/dev/null; echo $?",
	 .output = "own\n1\n"},
	{.what = "in a chroot",
	 .script =
		 "cd /data; mkdir -p r/tmp; cp /bin/busybox r/; chroot r /busybox sh -c "
		 "'/busybox touch /a; /busybox chown 5:6 /a; /busybox stat -c %u:%g /a'; stat -c %u:%g r/a",
	 .output = "5:6\n5:6\n"},
	{.what = "many at once",
	 .script = "cd /data; for i in $(seq 40); do (touch f$i; chown $i:$i f$i) & done; wait; "
		   "for i in $(seq 40); do [ \"$(stat -c %u f$i)\" = $i ] || echo $i; done",
	 .output = ""},
	{.what = "fast: owners are kept, and not shown",
	 .fast = true,
	 .script = OWNERS_SCRIPT "; stat -c %u:%g file; setpriv --reuid=5 --clear-groups id -u",
	 .output = "0:0\n0\n",
	 .look = look_owners},
};

static void test_scripts(void **state)
{
	fixture_use_one_id(*state);
	check_scripts(*state, script_cases, ARRAY_SIZE(script_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_scripts)};

	if (fixture_cannot_run())
		return 0;
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
