/* SPDX-License-Identifier: Apache-2.0
 * A temporary directory per test: cmocka_unit_test_setup_teardown(f, scratch_setup,
 * scratch_teardown) gives f a struct scratch as *state. Include after <cmocka.h>. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

struct scratch {
	char *path;
	int fd;
};

static inline int scratch_setup(void **state)
{
	const char *dir = getenv("TMPDIR");
	struct scratch *s = xcalloc(1, sizeof(*s));

	s->path = xasprintf("%s/varve-test-XXXXXX", dir ? dir : "/tmp");
	assert_non_null(mkdtemp(s->path));
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(s->fd >= 0);
	*state = s;
	return 0;
}

static inline int scratch_teardown(void **state)
{
	struct scratch *s = *state;
	int r = fd_remove_tree(AT_FDCWD, s->path);

	fd_close(&s->fd);
	free(s->path);
	free(s);
	return r;
}

static inline void scratch_write(const struct scratch *s, const char *name, const char *text)
{
	CLEANUP(fd_close)
	int fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/* Caller frees. */
static inline char *scratch_read(const struct scratch *s, const char *name)
{
	struct buf buf = BUF_INIT;

	assert_int_equal(fd_read_file(s->fd, name, 1 << 20, &buf, NULL), 0);
	return buf_steal(&buf);
}

static inline bool scratch_exists(const struct scratch *s, const char *name)
{
	return faccessat(s->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

#define SCRATCH_TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

#endif
