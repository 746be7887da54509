/* SPDX-License-Identifier: Apache-2.0
 * Commands in a chroot(2): what they see, what stays of it in the tree, and what ends with them.
 * The root holds busybox alone. */
#include "sandbox_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include "base/cleanup.h"
#include "base/strv.h"
#include "build/step.h"

enum { OUTPUT = 4096, PATIENCE = 200 /* times 20 ms */ };
static const char busybox[] = "/bin/busybox";

static const char *const applets[] = {"sh",    "cat",   "echo", "ls",     "stat", "id",    "rm",
				      "mkdir", "touch", "mv",   "sleep",  "grep", "mknod", "pwd",
				      "chown", "nc",    "env",  "setsid", "cut",  "sort",  "wc",
				      "head",  "umask", "ps",   "kill",   "test", "true",  "tr"};

struct script_case {
	const char *what, *script;
	const char *output; /* NULL: does not matter */
	const char *workdir;
	int status;
	uint32_t uid, gid;
	bool network;
	const char *command; /* instead of a script */
};

static const struct script_case script_cases[] = {
	{.what = "exit status", .script = "exit 7", .status = 7},
	{.what = "signal", .script = "kill -9 $$", .status = 137},
	{.what = "both streams", .script = "echo out; echo err >&2", .output = "out\nerr\n"},
	{.what = "stdin is empty", .script = "cat", .output = ""},
	{.what = "umask", .script = "umask", .output = "0022\n"},
	{.what = "environment",
	 .script = "env | grep -v -e SHLVL -e '^_='",
	 .output = "A=1\nPATH=/bin\nPWD=/\n"},
	{.what = "ids", .script = "id -u; id -g; id -G", .output = "0\n0\n0\n"},
	{.what = "another user",
	 .uid = 1000,
	 .gid = 100,
	 .script = "id -u; id -g; id -G; touch /data/x 2>/dev/null; echo $?",
	 .output = "1000\n100\n100\n1\n"},
	{.what = "working directory", .workdir = "/data", .script = "pwd", .output = "/data\n"},
	{.what = "no working directory", .workdir = "/none", .script = "pwd", .status = 99},
	{.what = "no command", .command = "none", .status = 99},
	{.what = "its own root",
	 .script = "ls /; ls /proc",
	 .output = "bin\ncache\ndata\ndev\nproc\nrun\nsrc\ntmp\n"},
	{.what = "sources and caches",
	 .script = "cat /src/file /run/secrets/s; stat -c %a /tmp /run; echo more >>/cache/c",
	 .output = "source\nsecret\n1777\n755\n"},
	{.what = "what a copy suffers is its own affair",
	 .script = "echo bad >/src/file; rm /run/secrets/s",
	 .output = ""},
	{.what = "devices",
	 .script = "echo x >/dev/null && head -c1 /dev/zero | wc -c && stat -c %F /dev/null",
	 .output = "1\ncharacter special file\n"},
	{.what = "devices become records",
	 .script = "mknod /data/c c 1 3 && test -f /data/c && rm /data/c && mknod /data/p p && rm "
		   "/data/p"},
	{.what = "no network",
	 .script = "nc 127.0.0.1 1 2>&1 | grep -c 'family not supported'",
	 .output = "1\n"},
	{.what = "network",
	 .network = true,
	 .script = "nc 127.0.0.1 1 2>&1 | grep -c 'refused'",
	 .output = "1\n"},
	{.what = "chown",
	 .script =
		 "touch /data/o && chown 1234:65534 /data/o && stat -c %u:%g /data/o && rm /data/o",
	 .output = "1234:65534\n"},
	{.what = "no mounts",
	 .script = "rm -r /src /tmp /run /cache; mkdir /src /cache",
	 .status = 0},
	{.what = "what is left running dies first",
	 .script =
		 "(sleep 0.2; echo x >/data/late) & setsid sh -c 'sleep 0.2; echo x >/data/late2' & "
		 "exit 0"},
};

struct scene {
	struct fixture *fixture;
	const struct script_case *c;
	int output;
};

static int make_root(int top)
{
	CLEANUP(fd_close) int root = make_directory(top, "root");
	CLEANUP(fd_close) int bin = make_directory(root, "bin");
	CLEANUP(fd_close) int data = make_directory(root, "data");
	CLEANUP(fd_close) int tmp = make_directory(root, "tmp");
	CLEANUP(fd_close) int from = open(busybox, O_RDONLY | O_CLOEXEC);
	CLEANUP(fd_close) int to = openat(bin, "busybox", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	struct stat st;
	size_t i;

	if (fstat(from, &st) < 0 || fd_copy(from, to, (uint64_t)st.st_size) < 0)
		return -1;
	for (i = 0; i < ARRAY_SIZE(applets); i++)
		if (symlinkat("busybox", bin, applets[i]) < 0)
			return -1;
	/* The image's own /tmp has to be back afterwards. */
	return make_file(data, "gone", "x") < 0 || make_file(tmp, "own", "x") < 0 ? -1 : 0;
}

static int make_rest(int top)
{
	CLEANUP(fd_close) int src = make_directory(top, "src");
	CLEANUP(fd_close) int caches = make_directory(top, "caches");
	CLEANUP(fd_close) int cache = make_directory(caches, "c");

	return make_file(src, "file", "source\n") < 0 || make_file(cache, "c", "cache\n") < 0 ||
			       make_file(top, "secret", "secret\n") < 0 ||
			       mkdirat(top, "tmp", 0755) < 0
		       ? -1
		       : 0;
}

static int run_script(const struct scene *scene, int *status, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	const char *top = scene->fixture->path;
	CLEANUP(free_ptr) char *root = xasprintf("%s/root", top);
	CLEANUP(free_ptr) char *tmp = xasprintf("%s/tmp", top);
	CLEANUP(free_ptr) char *src = xasprintf("%s/src", top);
	CLEANUP(free_ptr) char *cache = xasprintf("%s/caches/c", top);
	CLEANUP(free_ptr) char *secret = xasprintf("%s/secret", top);
	const struct sandbox_bind binds[] = {
		{.source = cache, .target = "/cache", .writable = true},
		{.source = secret, .target = "/run/secrets/s"},
		{.source = src, .target = "/src"}};
	const struct sandbox_spec spec = {.root = root,
					  .binds = binds,
					  .bind_count = ARRAY_SIZE(binds),
					  .environment = &environment,
					  .workdir = scene->c->workdir,
					  .temporary = tmp,
					  .network = scene->c->network,
					  .uid = scene->c->uid,
					  .gid = scene->c->gid,
					  .argv = &argv,
					  .copy = step_bind_copy};

	strv_add(&environment, "A=1");
	strv_add(&environment, "PATH=/bin");
	strv_add(&argv, scene->c->command ? scene->c->command : "sh");
	strv_add(&argv, "-c");
	strv_add(&argv, scene->c->script ? scene->c->script : "");
	return sandbox_run(&scene->fixture->host, &spec, -1, scene->output, scene->output, status,
			   err);
}

static int play(void *cookie)
{
	struct scene *scene = cookie;
	struct varve_error err = {0};
	int status = -1, r = run_script(scene, &status, &err);

	if (r < 0 && scene->c->status != 99)
		fprintf(stderr, "%s: %s\n", scene->c->what, err.text);
	REQUIRE(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	return r < 0 ? 99 : status;
}

static bool exists(int dirfd, const char *path)
{
	return faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The tree is as if nothing had ever been put into it, and sources and caches are at home. */
static void check_left(int top, const char *what)
{
	static const char *const none[] = {"root/proc",      "root/dev",        "root/run",
					   "root/src",       "root/cache/c",    "root.aside",
					   "root/data/late", "root/data/late2", "root/data/c"};
	static const char *const some[] = {"root/tmp/own", "root/data/gone", "src/file",
					   "caches/c",     "secret",         "tmp"};
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(none); i++)
		if (exists(top, none[i]) && strcmp(what, "no mounts") != 0)
			fail_msg("%s: %s is left", what, none[i]);
	for (i = 0; i < ARRAY_SIZE(some); i++)
		if (!exists(top, some[i]))
			fail_msg("%s: %s is gone", what, some[i]);
	assert_int_equal(fstatat(top, "src/file", &st, 0), 0);
	assert_int_equal(st.st_size, strlen("source\n"));
	assert_int_equal(fstatat(top, "secret", &st, 0), 0);
}

static void check_script(struct fixture *fixture, const struct script_case *c)
{
	struct scene scene = {.fixture = fixture, .c = c};
	char text[OUTPUT] = "";
	int status;
	ssize_t len;

	assert_int_equal(make_root(fixture->dirfd), 0);
	assert_int_equal(make_rest(fixture->dirfd), 0);
	scene.output = openat(fixture->dirfd, "output", O_RDWR | O_CREAT | O_TRUNC, 0600);
	status = fixture_inside(fixture, play, &scene);
	len = pread(scene.output, text, sizeof(text) - 1, 0);
	text[len < 0 ? 0 : len] = '\0';
	fd_close(&scene.output);
	if (status != c->status || (c->output && strcmp(text, c->output) != 0))
		fail_msg("%s: status %d, output '%s'", c->what, status, text);
	(void)nanosleep(&(struct timespec){0, strstr(c->what, "running") ? 400000000 : 0}, NULL);
	check_left(fixture->dirfd, c->what);
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

static bool comes(int dirfd, const char *path, bool wanted)
{
	int i;

	for (i = 0; i < PATIENCE && exists(dirfd, path) != wanted; i++)
		(void)nanosleep(&(struct timespec){0, 20000000}, NULL);
	return exists(dirfd, path) == wanted;
}

/* A build that is stopped kills its workers: the command ends, the cache comes home. */
static void test_killed_caller(void **state)
{
	static const struct script_case c = {
		.what = "killed",
		.script = "touch /data/started; while sleep 0.05; do touch /data/go; done"};
	struct fixture *fixture = *state;
	struct scene scene = {.fixture = fixture, .c = &c, .output = STDERR_FILENO};
	int top = fixture->dirfd;
	pid_t pid;

	assert_int_equal(make_root(top), 0);
	assert_int_equal(make_rest(top), 0);
	assert_int_equal(sandbox_spawn(&fixture->host, play, &scene, -1, &pid, NULL), 0);
	assert_true(comes(top, "root/data/go", true));
	assert_false(exists(top, "caches/c"));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(process_wait(pid), 128 + SIGKILL);
	assert_true(comes(top, "root.aside", false));
	assert_true(exists(top, "caches/c/c"));
	assert_int_equal(unlinkat(top, "root/data/go", 0), 0);
	(void)nanosleep(&(struct timespec){0, 200000000}, NULL);
	assert_false(exists(top, "root/data/go"));
}

static int group_setup(void **state)
{
	static struct fixture fixture;

	*state = &fixture;
	fixture.host = (struct sandbox_host){.owners = {.mode = OWNER_ROOT}, .listener = true};
	sandbox_use_chroot(&fixture.host);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test_setup_teardown(test_killed_caller, fixture_setup,
						fixture_teardown),
	};

	if (geteuid() != 0 || access(busybox, X_OK) < 0) {
		printf("1..0 # SKIP chroot needs root, and %s\n", busybox);
		return 0;
	}
	return cmocka_run_group_tests(tests, group_setup, fixture_group_teardown);
}
