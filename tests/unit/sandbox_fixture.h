/* SPDX-License-Identifier: Apache-2.0
 * For tests that run things in a sandbox: a temporary directory, and the reason why this host
 * cannot. */
#ifndef TESTS_SANDBOX_FIXTURE_H
#define TESTS_SANDBOX_FIXTURE_H

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/fd.h"
#include "base/process.h"
#include "sandbox/sandbox.h"

struct fixture {
	struct sandbox_host host;
	char path[64];
	int dirfd;
};

static inline void fixture_detect(struct sandbox_host *ret)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	sandbox_detect(tmp, ret);
	fd_close(&tmp);
}

/* For main, before the tests: 1 and the reason said in TAP when nothing can run here. */
static inline int fixture_cannot_run(void)
{
	struct sandbox_host host = {0};
	bool can;

	fixture_detect(&host);
	can = host.isolation != SANDBOX_NONE;
	if (!can)
		printf("1..0 # SKIP %.*s\n", (int)strcspn(host.cause.text, "\n"), host.cause.text);
	sandbox_host_release(&host);
	return can ? 0 : 1;
}

static inline int fixture_group_setup(void **state)
{
	static struct fixture fixture;

	*state = &fixture;
	fixture_detect(&fixture.host);
	return 0;
}

static inline int fixture_group_teardown(void **state)
{
	struct fixture *fixture = *state;

	sandbox_host_release(&fixture->host);
	return 0;
}

static inline int fixture_setup(void **state)
{
	struct fixture *fixture = *state;

	(void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/varve-sandbox-XXXXXX");
	if (!mkdtemp(fixture->path))
		return -1;
	fixture->dirfd = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fixture->dirfd < 0 ? -1 : 0;
}

static int fixture_remove(void *cookie)
{
	struct fixture *fixture = cookie;

	return fd_remove_tree(AT_FDCWD, fixture->path) < 0;
}

/* Files of other ids can be removed only where they were made. */
static inline int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;
	pid_t pid;

	fd_close(&fixture->dirfd);
	if (sandbox_spawn(&fixture->host, fixture_remove, fixture, -1, &pid, NULL) < 0)
		return -1;
	return process_wait(pid);
}

/* Runs fn(cookie) in a namespace; its result. */
static inline int fixture_inside(const struct fixture *fixture, int (*fn)(void *cookie),
				 void *cookie)
{
	pid_t pid;

	assert_int_equal(sandbox_spawn(&fixture->host, fn, cookie, -1, &pid, NULL), 0);
	return process_wait(pid);
}

/* In a spawned process cmocka's assertions have nowhere to go: say it, and end. */
static inline void require(int condition, const char *text, const char *file, int line)
{
	if (condition)
		return;
	fprintf(stderr, "%s:%d: not true: %s\n", file, line, text);
	_exit(1);
}

#define REQUIRE(condition) require(condition, #condition, __FILE__, __LINE__)

/* The fixture's directory, opened by path in this namespace, becomes the working directory. */
static inline void enter_directory(const struct fixture *fixture)
{
	int fd = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	REQUIRE(fd >= 0 && fchdir(fd) == 0);
	fd_close(&fd);
}

static inline int make_directory(int dirfd, const char *name)
{
	int fd;

	if (mkdirat(dirfd, name, 0755) < 0)
		return -1;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd;
}

static inline int make_file(int dirfd, const char *name, const char *text)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r = fd < 0 ? -1 : fd_write_all(fd, text, strlen(text));

	fd_close(&fd);
	return r;
}

#endif
