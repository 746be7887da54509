/* SPDX-License-Identifier: Apache-2.0
 * Commands in a sandbox around an overlay whose programs are the host's. */
#include "sandbox_fixture.h"

#include <errno.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include "base/cleanup.h"
#include "base/strv.h"

enum { OUTPUT = 4096 };

/* What a script sees and leaves behind. */
struct script_case {
	const char *what, *script;
	const char *output; /* NULL: does not matter */
	const char *workdir;
	void (*look)(int upper); /* after the command, in the namespace */
	int status;
	uint32_t uid, gid;
	bool network;
};

struct scene {
	const struct fixture *fixture;
	const struct script_case *c;
	int lower, upper, work, output;
};

static void look_whiteout(int upper)
{
	struct stat st;

	REQUIRE(fstatat(upper, "data/gone", &st, AT_SYMLINK_NOFOLLOW) == 0);
	REQUIRE(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
}

static void look_tmp(int upper)
{
	struct stat st;

	REQUIRE(fstatat(upper, "tmp/file", &st, 0) < 0 && errno == ENOENT);
	REQUIRE(fstatat(upper, "../tmp/file", &st, 0) == 0);
}

static void look_late(int upper)
{
	struct stat st;

	(void)nanosleep(&(struct timespec){0, 400000000}, NULL);
	REQUIRE(fstatat(upper, "data/late", &st, 0) < 0 && errno == ENOENT);
}

static void look_owner(int upper)
{
	struct stat st;

	REQUIRE(fstatat(upper, "data/owned", &st, 0) == 0);
	REQUIRE(st.st_uid == 1234 && st.st_gid == 65534);
}

static void look_mode(int upper)
{
	struct stat st;

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
	{.what = "devices are not made",
	 .script = "mknod /data/c c 1 3 && mknod /data/b b 8 0 && ! test -e /data/c && "
		   "! test -e /data/b && mknod /data/p p && test -p /data/p"},
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

static void add_host(struct sandbox_bind *binds, size_t *count)
{
	static const char *const dirs[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		if (access(dirs[i], F_OK) == 0)
			binds[(*count)++] = (struct sandbox_bind){dirs[i], dirs[i], false};
	binds[(*count)++] = (struct sandbox_bind){"/etc", "/copy/etc", false};
}

static int run_script(const struct scene *scene, const char *root, const char *tmp, int *status,
		      struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	struct sandbox_bind binds[8];
	struct sandbox_spec spec = {.root = root,
				    .binds = binds,
				    .environment = &environment,
				    .workdir = scene->c->workdir ? scene->c->workdir : "/",
				    .temporary = tmp,
				    .network = scene->c->network,
				    .uid = scene->c->uid,
				    .gid = scene->c->gid,
				    .argv = &argv};

	add_host(binds, &spec.bind_count);
	strv_add(&environment, "A=1");
	strv_add(&environment, "EMPTY=");
	strv_add(&argv, "/bin/sh");
	strv_add(&argv, "-c");
	strv_add(&argv, scene->c->script);
	return sandbox_run(&scene->fixture->host, &spec, -1, scene->output, scene->output, status,
			   err);
}

static int play(void *cookie)
{
	struct scene *scene = cookie;
	struct varve_error err = {0};
	char root[96], tmp[96];
	int status = -1, r;

	(void)snprintf(root, sizeof(root), "%s/root", scene->fixture->path);
	(void)snprintf(tmp, sizeof(tmp), "%s/tmp", scene->fixture->path);
	r = sandbox_overlay(&scene->lower, 1, scene->upper, scene->work, root, &err);
	if (r == 0)
		r = run_script(scene, root, tmp, &status, &err);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", scene->c->what, err.text);
	if (r == 0 && scene->c->look)
		scene->c->look(scene->upper);
	/* Not even the init of the sandbox is left, which would come to us as an orphan. */
	REQUIRE(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	REQUIRE(sandbox_unmount(root, &err) == 0);
	return r < 0 ? 99 : status;
}

static void make_scene(struct scene *scene)
{
	int dirfd = scene->fixture->dirfd, data;

	scene->lower = make_directory(dirfd, "lower");
	scene->upper = make_directory(dirfd, "upper");
	scene->work = make_directory(dirfd, "work");
	scene->output = openat(dirfd, "output", O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(scene->lower >= 0 && scene->upper >= 0 && scene->work >= 0);
	assert_int_equal(mkdirat(dirfd, "root", 0755), 0);
	assert_int_equal(mkdirat(dirfd, "tmp", 0755), 0);
	data = make_directory(scene->lower, "data");
	assert_int_equal(make_file(data, "gone", "x"), 0);
	fd_close(&data);
}

static void close_scene(struct scene *scene)
{
	fd_close(&scene->lower);
	fd_close(&scene->upper);
	fd_close(&scene->work);
	fd_close(&scene->output);
}

static void check_script(struct fixture *fixture, const struct script_case *c)
{
	struct scene scene = {.fixture = fixture, .c = c};
	char text[OUTPUT] = "";
	int status;
	ssize_t len;

	make_scene(&scene);
	status = fixture_inside(fixture, play, &scene);
	len = pread(scene.output, text, sizeof(text) - 1, 0);
	text[len < 0 ? 0 : len] = '\0';
	close_scene(&scene);
	if (status != c->status || (c->output && strcmp(text, c->output) != 0))
		fail_msg("%s: status %d, output '%s'", c->what, status, text);
}

static void test_scripts(void **state)
{
	void *fixture = *state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(script_cases); i++) {
		assert_int_equal(fixture_setup(&fixture), 0);
		check_script(fixture, &script_cases[i]);
		assert_int_equal(fixture_teardown(&fixture), 0);
	}
}

/* What bwrap itself cannot do is no failure of the command. */
static void test_bad_workdir(void **state)
{
	static const struct script_case c = {
		.what = "(wanted)", .script = "exit 0", .workdir = "/nonexistent", .status = 99};
	struct fixture *fixture = *state;

	check_script(fixture, &c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test_setup_teardown(test_bad_workdir, fixture_setup, fixture_teardown),
	};

	if (fixture_cannot_run())
		return 0;
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
