/* SPDX-License-Identifier: Apache-2.0
 * Processes in namespaces: who they are, how they end, what they say when they cannot begin. */
#include "sandbox_fixture.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include "base/cleanup.h"
#include "base/strv.h"

enum { SETUP_FAILED = 125, SECOND = 1000 };

static int is_root(void *cookie)
{
	struct sigaction action;

	(void)cookie;
	REQUIRE(getuid() == 0 && geteuid() == 0 && getgid() == 0 && getegid() == 0);
	REQUIRE(getgroups(0, NULL) == 0);
	REQUIRE(sigaction(SIGINT, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
	REQUIRE(sigaction(SIGTERM, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
	REQUIRE(setresuid(1000, 1000, 0) == 0 && setresuid(0, 0, 0) == 0);
	return 42;
}

static void ignore_it(int number)
{
	(void)number;
}

static void test_identity(void **state)
{
	struct fixture *fixture = *state;

	(void)signal(SIGTERM, ignore_it);
	assert_int_equal(fixture_inside(fixture, is_root, NULL), 42);
	(void)signal(SIGTERM, SIG_DFL);
}

static int mount_something(void *cookie)
{
	const struct fixture *fixture = cookie;

	REQUIRE(mount("none", fixture->path, "tmpfs", 0, NULL) == 0);
	enter_directory(fixture);
	REQUIRE(make_file(AT_FDCWD, "file", "x") == 0);
	return 0;
}

static void test_mounts_are_private(void **state)
{
	struct fixture *fixture = *state;
	struct stat st;

	assert_int_equal(fixture_inside(fixture, mount_something, fixture), 0);
	assert_true(fstatat(fixture->dirfd, "file", &st, 0) < 0);
	assert_int_equal(mkdirat(fixture->dirfd, "file", 0755), 0);
}

/* The setup's own failure: one line and 125. */
static void test_setup_failure(void **state)
{
	struct fixture *fixture = *state;
	struct sandbox_host host = fixture->host;
	char program[] = "/nonexistent/newuidmap", text[1024];
	static const struct {
		const char *what, *said;
		uint32_t first;
		int replace;
	} cases[] = {
		{"not our range", "refuses the map of ids", 1, 0},
		{"no program", "/nonexistent/newuidmap", 0, 1},
	};
	size_t i;

	if (host.owners.mode != OWNER_SUBUID) {
		print_message("# not applicable to root\n");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(fd_close)
		int said = openat(fixture->dirfd, "said", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
				  0600);
		pid_t pid;
		ssize_t len;

		host = fixture->host;
		if (cases[i].first)
			host.uids.first = cases[i].first;
		if (cases[i].replace)
			host.newuidmap = program;
		assert_int_equal(sandbox_spawn(&host, is_root, NULL, said, &pid, NULL), 0);
		assert_int_equal(process_wait(pid), SETUP_FAILED);
		len = pread(said, text, sizeof(text) - 1, 0);
		assert_true(len > 0);
		text[len] = '\0';
		if (!strstr(text, cases[i].said) || strchr(text, '\n') != text + len - 1)
			fail_msg("%s: '%s'", cases[i].what, text);
	}
}

struct sleeper {
	const struct fixture *fixture;
	int alive; /* whoever lives holds the other end of it */
};

/* bwrap with a shell that has children; all hold the pipe as stdout. */
static int run_sleepers(void *cookie)
{
	const struct sleeper *s = cookie;
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	struct sandbox_spec spec = {.root = "/", .argv = &argv};
	int status;

	strv_add(&argv, "/bin/sh");
	strv_add(&argv, "-c");
	strv_add(&argv, "trap '' TERM INT HUP; sleep 600 & echo ready; sleep 600; sleep 600");
	REQUIRE(sandbox_run(&s->fixture->host, &spec, -1, s->alive, -1, &status, NULL) == 0);
	return 0;
}

static pid_t start_sleepers(const struct fixture *fixture, int alive)
{
	struct sleeper s = {.fixture = fixture, .alive = alive};
	pid_t pid;

	if (sandbox_spawn(&fixture->host, run_sleepers, &s, -1, &pid, NULL) < 0)
		return -1;
	return pid;
}

static void await_ready(int fd)
{
	char text[8];

	assert_int_equal(fd_read_full(fd, text, 6), 6);
	assert_int_equal(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 50), 0);
}

/* The reading end does so when the last of them is gone. */
static int hangs_up(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, SECOND) == 1 && (p.revents & POLLHUP);
}

static void test_kill(void **state)
{
	struct fixture *fixture = *state;
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = start_sleepers(fixture, ends[1]);
	fd_close(&ends[1]);
	assert_true(pid > 0);
	await_ready(ends[0]);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_true(hangs_up(ends[0]));
	assert_int_equal(process_wait(pid), 128 + SIGKILL);
	fd_close(&ends[0]);
}

/* The same when it is the parent that is killed, and has no time for anything. */
static void test_parent_killed(void **state)
{
	struct fixture *fixture = *state;
	int ends[2];
	pid_t parent;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	parent = fork();
	assert_true(parent >= 0);
	if (parent == 0) {
		if (start_sleepers(fixture, ends[1]) > 0)
			pause();
		_exit(1);
	}
	fd_close(&ends[1]);
	await_ready(ends[0]);
	assert_int_equal(kill(parent, SIGKILL), 0);
	assert_true(hangs_up(ends[0]));
	assert_int_equal(process_wait(parent), 128 + SIGKILL);
	fd_close(&ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test_setup_teardown(test_mounts_are_private, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_setup_failure, fixture_setup,
						fixture_teardown),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_parent_killed),
	};

	if (fixture_cannot_run())
		return 0;
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
