/* SPDX-License-Identifier: Apache-2.0
 * What every command gets, whatever ids the host has. */
#include "sandbox_scene.h"

#include <time.h>

static void look_whiteout(const struct owners *owners, int upper)
{
	struct stat st;

	(void)owners;
	REQUIRE(fstatat(upper, "data/gone", &st, AT_SYMLINK_NOFOLLOW) == 0);
	REQUIRE(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
}

static void look_tmp(const struct owners *owners, int upper)
{
	struct stat st;

	(void)owners;
	REQUIRE(fstatat(upper, "tmp/file", &st, 0) < 0 && errno == ENOENT);
	REQUIRE(fstatat(upper, "../tmp/file", &st, 0) == 0);
}

static void look_late(const struct owners *owners, int upper)
{
	struct stat st;

	(void)owners;
	(void)nanosleep(&(struct timespec){0, 400000000}, NULL);
	REQUIRE(fstatat(upper, "data/late", &st, 0) < 0 && errno == ENOENT);
}

static void look_owner(const struct owners *owners, int upper)
{
	struct stat st;

	REQUIRE(fstatat(upper, "data/owned", &st, 0) == 0);
	REQUIRE(owner_read(owners, upper, "data/owned", &st) == 0);
	REQUIRE(st.st_uid == 1234 && st.st_gid == 65534);
}

static void look_devices(const struct owners *owners, int upper)
{
	struct stat st;

	REQUIRE(fstatat(upper, "data/d", &st, 0) == 0 && S_ISREG(st.st_mode));
	REQUIRE(owner_read(owners, upper, "data/d", &st) == 0);
	REQUIRE(st.st_mode == (S_IFCHR | 0640) && st.st_rdev == makedev(1, 3));
	REQUIRE(fstatat(upper, "data/b", &st, 0) == 0);
	REQUIRE(owner_read(owners, upper, "data/b", &st) == 0);
	REQUIRE(st.st_mode == (S_IFBLK | 0666) && st.st_rdev == makedev(259, 70000));
	REQUIRE(fstatat(upper, "data/w", &st, 0) < 0 && errno == ENOENT);
}

static void look_mode(const struct owners *owners, int upper)
{
	struct stat st;

	(void)owners;
	REQUIRE(fstatat(upper, "data/made", &st, 0) == 0);
	REQUIRE((st.st_mode & 07777) == 0644);
}

static const struct script_case script_cases[] = {
	{.what = "exit status", .script = "exit 7", .status = 7},
	{.what = "success", .script = "exit 0", .output = ""},
	{.what = "signal", .script = "kill -9 $$", .status = 137},
	{.what = "no such command", .script = "exec /nonexistent", .status = 127},
	{.what = "both streams", .script = "echo out; echo err >&2", .output = "out\nerr\n"},
	{.what = "stdin is empty", .script = "cat", .output = ""},
	{.what = "umask", .script = "umask; >/data/made", .output = "0022\n", .look = look_mode},
	{.what = "environment", .script = "/usr/bin/env", .output = "A=1\nEMPTY=\nPWD=/\n"},
	{.what = "host name", .script = "cat /proc/sys/kernel/hostname", .output = "build\n"},
	{.what = "own pids", .script = "echo /proc/[0-9]*", .output = "/proc/1 /proc/2\n"},
	{.what = "own ids", .script = "id -u; id -g; id -G", .output = "0\n0\n0\n"},
	{.what = "no descriptor leaks",
	 .script = "ls /proc/self/fd | tr '\\n' ' '",
	 .output = "0 1 2 3 "},
	{.what = "no network",
	 .script = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '",
	 .output = "lo\n"},
	{.what = "network",
	 .network = true,
	 .script =
		 "test \"$(cat /etc/hosts)\" = \"$(cat /copy/etc/hosts)\"; readlink /proc/1/ns/net "
		 "/proc/self/ns/net | uniq | wc -l",
	 .output = "1\n"},
	{.what = "chown",
	 .script = "touch /data/owned && chown 1234:65534 /data/owned && "
		   "stat -c %u:%g /data/owned",
	 .output = "1234:65534\n",
	 .look = look_owner},
	{.what = "whiteout", .script = "rm /data/gone", .look = look_whiteout},
	{.what = "/tmp is on disk and no part of the layer",
	 .script = "stat -c %a /tmp; echo x >/tmp/file",
	 .output = "1777\n",
	 .look = look_tmp},
	{.what = "/run and /dev are there",
	 .script = "test -d /run && echo x >/dev/null && head -c1 /dev/zero | wc -c",
	 .output = "1\n"},
	{.what = "devices are recorded",
	 .script =
		 "umask 0; mknod -m 640 /data/c c 1 3 && mknod /data/b b 259 70000 && mknod /data/p p "
		 "&& test -p /data/p && mv /data/c /data/d && ! mknod /data/d c 1 5 2>/dev/null && "
		 "! mknod /data/x/y c 1 5 2>/dev/null && ! mknod /data/w c 0 0 2>/dev/null",
	 .look = look_devices},
	{.what = "devices are seen",
	 .devices = true,
	 .script =
		 "cd /data; mknod c b 8 1; stat -c '%F %t:%T %u:%g' c; chown 5:6 c; test -b c && stat -c %u:%g c; "
		 "mkdir t; tar cf - c | tar xf - -C t; test -b t/c && stat -c %u:%g gone t/c",
	 .output = "block special file 8:1 0:0\n5:6\n0:0\n5:6\n"},
	{.what = "capabilities",
	 .script = "grep -E 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status | cut -f2 | sort -u",
	 .output = "00000000a00425fb\n"},
	{.what = "no new privileges",
	 .script = "grep NoNewPrivs /proc/self/status",
	 .output = "NoNewPrivs:\t1\n"},
	{.what = "no mounts",
	 .script = "mount -t tmpfs none /data 2>/dev/null; echo $?",
	 .output = "32\n"},
	{.what = "another user",
	 .own_ids = true,
	 .uid = 1000,
	 .gid = 100,
	 .script = "id -u; id -g; id -G; grep -E 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status | "
		   "cut -f2 | sort -u",
	 .output = "1000\n100\n100\n0000000000000000\n"},
	{.what = "becoming another user",
	 .script = "setpriv --reuid=42 --clear-groups id -u",
	 .output = "42\n"},
	{.what = "file capabilities",
	 .script = "setcap cap_net_raw=ep /data/gone 2>&1; getcap /data/gone",
	 .output = "/data/gone cap_net_raw=ep\n"},
	{.what = "working directory", .workdir = "/data", .script = "pwd", .output = "/data\n"},
	{.what = "what is left running dies first",
	 .script = "(sleep 0.2; echo x >/data/late) & exit 0",
	 .look = look_late},
	{.what = "mounts look the same on every host",
	 .script = "grep ' / ' /proc/self/mounts | cut -d' ' -f1,3,4 | "
		   "grep -c 'lowerdir=l0,upperdir=upper,workdir=work'",
	 .output = "1\n"},
};

static void test_scripts(void **state)
{
	check_scripts(*state, script_cases, ARRAY_SIZE(script_cases));
}

/* What bwrap itself cannot do is no failure of the command. */
static void test_bad_workdir(void **state)
{
	static const struct script_case c = {
		.what = "(wanted)", .script = "exit 0", .workdir = "/nonexistent", .status = 99};
	struct fixture *fixture = *state;

	check_script(fixture, &c);
}

/* Last: the host stays so. */
static void test_scripts_with_one_id(void **state)
{
	fixture_use_one_id(*state);
	check_scripts(*state, script_cases, ARRAY_SIZE(script_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test_setup_teardown(test_bad_workdir, fixture_setup, fixture_teardown),
		cmocka_unit_test(test_scripts_with_one_id),
	};

	if (fixture_cannot_run())
		return 0;
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
