/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <varve/error.h>
#include "scratch.h"

static void closing(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = fd;

	(void)state;
	assert_int_equal(steal_fd(&copy), fd);
	assert_int_equal(copy, -1);
	errno = ENOSPC;
	fd_close(&fd);
	assert_int_equal(fd, -1);
	fd_close(&fd);
	fd_close(NULL);
	assert_int_equal(errno, ENOSPC);
}

static void whole_reads(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(buf_release) struct buf buf = BUF_INIT;
	struct varve_error err = {.code = 0};

	scratch_write(s, "f", "12345");
	assert_int_equal(fd_read_file(s->fd, "f", 5, &buf, &err), 0);
	assert_string_equal(buf_text(&buf), "12345");
	assert_int_equal(fd_read_file(s->fd, "f", 5, &buf, &err), 0);
	assert_string_equal(buf_text(&buf), "1234512345");
	assert_int_equal(fd_read_file(s->fd, "f", 4, &buf, &err), -EFBIG);
	assert_string_equal(err.text, "read f: File too large");
	assert_int_equal(fd_read_file(s->fd, "g", 4, &buf, &err), -ENOENT);
	assert_string_equal(err.text, "open g: No such file or directory");
	/* Files without a size. */
	buf_reset(&buf);
	assert_int_equal(fd_read_file(AT_FDCWD, "/proc/self/status", 1 << 20, &buf, &err), 0);
	assert_true(str_starts(buf.data, "Name:"));
	assert_int_equal(fd_read_file(AT_FDCWD, "/dev/zero", 1 << 20, &buf, &err), -EFBIG);
}

static void reads_from_pipes(void **state)
{
	CLEANUP(buf_release) struct buf buf = BUF_INIT;
	char data[8];
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fd_write_all(ends[1], "abcdefgh+rest", 13), 0);
	fd_close(&ends[1]);
	assert_int_equal(fd_read_full(ends[0], data, sizeof(data)), 8);
	assert_int_equal(fd_read_all(ends[0], 100, &buf), 0);
	assert_string_equal(buf_text(&buf), "+rest");
	assert_int_equal(fd_read_full(ends[0], data, sizeof(data)), 0);
	fd_close(&ends[0]);
	assert_int_equal(fd_read_full(-1, data, sizeof(data)), -EBADF);
	assert_int_equal(fd_write_all(-1, data, sizeof(data)), -EBADF);
}

/* Copies the scratch file "from" to "to" and returns the result of fd_copy. */
static int copy_as(const struct scratch *s, uint64_t size)
{
	CLEANUP(fd_close) int from = openat(s->fd, "from", O_RDONLY | O_CLOEXEC);
	CLEANUP(fd_close)
	int to = openat(s->fd, "to", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(from >= 0 && to >= 0);
	return fd_copy(from, to, size);
}

static void copies_with_holes(void **state)
{
	const struct scratch *s = *state;
	const off_t size = (64 << 20) + 5;
	CLEANUP(fd_close) int fd = openat(s->fd, "from", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	char data[5] = "";
	struct stat st;

	assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
	assert_int_equal(pwrite(fd, "inner", 5, 32 << 20), 5);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(copy_as(s, (uint64_t)size), 0);
	fd_close(&fd);
	fd = openat(s->fd, "to", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_true(st.st_blocks * 512 < (16 << 20));
	assert_int_equal(pread(fd, data, 5, 0), 5);
	assert_memory_equal(data, "begin", 5);
	assert_int_equal(pread(fd, data, 5, 32 << 20), 5);
	assert_memory_equal(data, "inner", 5);
	assert_int_equal(pread(fd, data, 5, size - 5), 5);
	assert_memory_equal(data, "\0\0\0\0\0", 5);
}

static void copies_of_each_size(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 65537, (3 << 20) + 1};
	const struct scratch *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		CLEANUP(free_ptr) char *text = xmalloc(sizes[i] + 1);
		CLEANUP(buf_release) struct buf copy = BUF_INIT;

		for (size_t k = 0; k < sizes[i]; k++)
			text[k] = (char)('a' + k % 23);
		text[sizes[i]] = '\0';
		scratch_write(s, "from", text);
		assert_int_equal(copy_as(s, sizes[i]), 0);
		assert_int_equal(fd_read_file(s->fd, "to", 8 << 20, &copy, NULL), 0);
		assert_string_equal(buf_text(&copy), text);
	}
}

static void copies_by_hand(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(fd_close) int from = -1;
	CLEANUP(fd_close)
	int to = openat(s->fd, "to", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	CLEANUP(free_ptr) char *text = NULL;

	/* copy_file_range refuses a file in append mode. */
	scratch_write(s, "from", "content");
	from = openat(s->fd, "from", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fd_copy(from, to, 7), 0);
	text = scratch_read(s, "to");
	assert_string_equal(text, "content");
}

static void copies_check_the_size(void **state)
{
	const struct scratch *s = *state;

	scratch_write(s, "from", "12345");
	assert_int_equal(copy_as(s, 4), -ESTALE);
	assert_int_equal(copy_as(s, 6), -ESTALE);
	assert_int_equal(copy_as(s, 5), 0);
}

static void directories_are_made(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(free_ptr) char *absolute = xasprintf("%s/x//y/z/", s->path);
	struct stat st;

	assert_int_equal(fd_mkdir_p(s->fd, "a/b/c", 0755), 0);
	assert_int_equal(fd_mkdir_p(s->fd, "a/b/c", 0755), 0);
	assert_int_equal(fd_mkdir_p(AT_FDCWD, absolute, 0700), 0);
	assert_int_equal(fstatat(s->fd, "x/y", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	scratch_write(s, "a/file", "");
	assert_int_equal(fd_mkdir_p(s->fd, "a/file", 0755), -ENOTDIR);
	assert_int_equal(fd_mkdir_p(s->fd, "a/file/x", 0755), -ENOTDIR);
	/* A link to a directory is one. */
	assert_int_equal(symlinkat("a", s->fd, "link"), 0);
	assert_int_equal(fd_mkdir_p(s->fd, "link/new", 0755), 0);
	assert_true(scratch_exists(s, "a/new"));
	assert_int_equal(fd_sync_dir(s->fd), 0);
	assert_int_equal(fd_sync_dir(-1), -EBADF);
}

static void removing(void **state)
{
	const struct scratch *s = *state;

	assert_int_equal(fd_remove_tree(s->fd, "absent"), 0);
	assert_int_equal(fd_mkdir_p(s->fd, "outside/kept", 0755), 0);
	assert_int_equal(fd_mkdir_p(s->fd, "t/a/b", 0755), 0);
	assert_int_equal(fd_mkdir_p(s->fd, "t/c/d/e", 0755), 0);
	scratch_write(s, "t/f", "x");
	scratch_write(s, "t/a/b/f", "x");
	assert_int_equal(symlinkat("../outside", s->fd, "t/link"), 0);
	assert_int_equal(symlinkat("outside", s->fd, "link"), 0);
	assert_int_equal(mkfifoat(s->fd, "t/c/fifo", 0644), 0);
	assert_int_equal(fd_remove_tree(s->fd, "t"), 0);
	assert_false(scratch_exists(s, "t"));
	assert_int_equal(fd_remove_tree(s->fd, "link/"), -ENOTDIR);
	assert_int_equal(fd_remove_tree(s->fd, "link"), 0);
	assert_false(scratch_exists(s, "link"));
	assert_true(scratch_exists(s, "outside/kept"));
}

static void removing_wide_trees(void **state)
{
	const struct scratch *s = *state;

	for (int i = 0; i < 3000; i++) {
		CLEANUP(free_ptr) char *dir = xasprintf("t/%d/x", i);

		assert_int_equal(fd_mkdir_p(s->fd, dir, 0755), 0);
	}
	assert_int_equal(fd_remove_tree(s->fd, "t"), 0);
	assert_false(scratch_exists(s, "t"));
}

static void removing_deep_trees(void **state)
{
	const struct scratch *s = *state;
	struct rlimit before, few;
	int fd = dup(s->fd), r;

	for (int i = 0; i < 3000; i++) {
		CLEANUP(fd_close) int parent = fd;

		assert_int_equal(mkdirat(parent, "deep", 0755), 0);
		fd = openat(parent, "deep", O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_true(fd >= 0);
	}
	fd_close(&fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){32, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	r = fd_remove_tree(s->fd, "deep");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, 0);
	assert_false(scratch_exists(s, "deep"));
}

/* Root may enter any directory, so this runs as somebody else: as "nobody" when we are root. */
static int remove_as_other(const struct scratch *s)
{
	static const struct {
		const char *path;
		mode_t mode;
	} dirs[] = {{"t/a/none", 0},
		    {"t/a/read", 0400},
		    {"t/a/write", 0300},
		    {"t/a/search", 0100},
		    {"t/a/fixed", 0500},
		    {"t/a", 0},
		    {"t", 0}};
	const struct passwd *user = geteuid() == 0 ? getpwnam("nobody") : NULL;

	if (user && (fchown(s->fd, user->pw_uid, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
		     setuid(user->pw_uid) < 0))
		return 2;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		CLEANUP(free_ptr) char *inner = xasprintf("%s/inner", dirs[i].path);

		if (fd_mkdir_p(s->fd, inner, 0755) < 0)
			return 3;
	}
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (fchmodat(s->fd, dirs[i].path, dirs[i].mode, 0) < 0)
			return 4;
	return fd_remove_tree(s->fd, "t") == 0 && !scratch_exists(s, "t") ? 0 : 1;
}

static void removing_closed_directories(void **state)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(remove_as_other(*state));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(WIFEXITED(status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closing),
		SCRATCH_TEST(whole_reads),
		cmocka_unit_test(reads_from_pipes),
		SCRATCH_TEST(copies_with_holes),
		SCRATCH_TEST(copies_of_each_size),
		SCRATCH_TEST(copies_by_hand),
		SCRATCH_TEST(copies_check_the_size),
		SCRATCH_TEST(directories_are_made),
		SCRATCH_TEST(removing),
		SCRATCH_TEST(removing_wide_trees),
		SCRATCH_TEST(removing_deep_trees),
		SCRATCH_TEST(removing_closed_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
