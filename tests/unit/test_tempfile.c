/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <varve/error.h>
#include "base/lock_file.h"
#include "base/tempfile.h"
#include "scratch.h"

static size_t count_entries(const struct scratch *s)
{
	DIR *dir = opendir(s->path);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count - 2;
}

static void begin_text(const struct scratch *s, struct tempfile *t, const char *text)
{
	struct varve_error err = {.code = 0};

	assert_int_equal(tempfile_begin(s->fd, 0644, t, &err), 0);
	assert_int_equal(fd_write_all(t->fd, text, strlen(text)), 0);
}

static void assert_content(const struct scratch *s, const char *name, const char *expected)
{
	CLEANUP(free_ptr) char *text = scratch_read(s, name);

	assert_string_equal(text, expected);
}

static void never_visible_early(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(tempfile_abort) struct tempfile t = TEMPFILE_INIT;

	begin_text(s, &t, "new");
	assert_true(str_starts(t.name, ".varve-"));
	assert_int_equal(strlen(t.name), 7 + 16);
	assert_false(scratch_exists(s, "final"));
	assert_int_equal(tempfile_commit(&t, s->fd, "final", true, true, NULL), 0);
	assert_content(s, "final", "new");
	assert_int_equal(count_entries(s), 1);
	assert_int_equal(t.fd, -1);
	assert_string_equal(t.name, "");
}

static void the_old_content_stays_until_commit(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(tempfile_abort) struct tempfile t = TEMPFILE_INIT;

	scratch_write(s, "final", "old");
	begin_text(s, &t, "new");
	assert_content(s, "final", "old");
	assert_int_equal(tempfile_commit(&t, s->fd, "final", true, false, NULL), 0);
	assert_content(s, "final", "new");
	assert_int_equal(count_entries(s), 1);
}

static void an_existing_target_wins(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(tempfile_abort) struct tempfile t = TEMPFILE_INIT;

	scratch_write(s, "final", "old");
	begin_text(s, &t, "new");
	assert_int_equal(tempfile_commit(&t, s->fd, "final", false, true, NULL), 0);
	assert_content(s, "final", "old");
	assert_int_equal(count_entries(s), 1);
	begin_text(s, &t, "second");
	assert_int_equal(tempfile_commit(&t, s->fd, "other", false, true, NULL), 0);
	assert_content(s, "other", "second");
	assert_int_equal(count_entries(s), 2);
}

static void abort_leaves_nothing(void **state)
{
	const struct scratch *s = *state;
	struct tempfile t = TEMPFILE_INIT;

	begin_text(s, &t, "new");
	assert_int_equal(count_entries(s), 1);
	errno = ENOSPC;
	tempfile_abort(&t);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(count_entries(s), 0);
	tempfile_abort(&t);
	tempfile_abort(NULL);
}

static void a_failed_commit_leaves_nothing(void **state)
{
	const struct scratch *s = *state;
	struct tempfile t = TEMPFILE_INIT;
	struct varve_error err = {.code = 0};

	begin_text(s, &t, "new");
	assert_int_equal(tempfile_commit(&t, s->fd, "no/where", true, true, &err), -ENOENT);
	assert_string_equal(err.text, "rename to no/where: No such file or directory");
	tempfile_abort(&t);
	assert_int_equal(count_entries(s), 0);
}

static void to_another_directory(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(tempfile_abort) struct tempfile t = TEMPFILE_INIT;
	CLEANUP(fd_close) int dir = -1;

	assert_int_equal(mkdirat(s->fd, "d", 0755), 0);
	dir = openat(s->fd, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
	begin_text(s, &t, "new");
	assert_int_equal(tempfile_commit(&t, dir, "final", false, true, NULL), 0);
	assert_content(s, "d/final", "new");
	assert_int_equal(count_entries(s), 1);
}

static void bytes_in_memory(void **state)
{
	const struct scratch *s = *state;
	struct varve_error err = {.code = 0};
	mode_t before = umask(027);
	struct stat st;

	assert_int_equal(tempfile_write(s->fd, "f", "abc", 3, true, &err), 0);
	assert_int_equal(tempfile_write(s->fd, "f", "de", 2, false, &err), 0);
	assert_content(s, "f", "de");
	assert_int_equal(fstatat(s->fd, "f", &st, 0), 0);
	(void)umask(before);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(count_entries(s), 1);
	assert_int_equal(tempfile_write(-1, "f", "x", 1, true, &err), -EBADF);
	assert_string_equal(err.text, "write f: create temporary file: Bad file descriptor");
}

static void names_differ(void **state)
{
	char a[40], b[40];

	(void)state;
	tempfile_name(a);
	tempfile_name(b);
	assert_string_not_equal(a, b);
}

static void locks_exclude(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(fd_close) int first = lock_file_open(s->fd, "lock", LOCK_SHARED, false, NULL);
	CLEANUP(fd_close) int second = lock_file_open(s->fd, "lock", LOCK_SHARED, true, NULL);
	struct varve_error err = {.code = 0};
	int fd;

	assert_true(first >= 0 && second >= 0);
	assert_int_equal(lock_file_open(s->fd, "lock", LOCK_EXCLUSIVE, false, &err), -EWOULDBLOCK);
	assert_int_equal(err.code, 0);
	fd_close(&first);
	fd_close(&second);
	fd = lock_file_open(s->fd, "lock", LOCK_EXCLUSIVE, false, &err);
	assert_true(fd >= 0);
	assert_int_equal(lock_file_open(s->fd, "lock", LOCK_SHARED, false, &err), -EWOULDBLOCK);
	fd_close(&fd);
	assert_true(scratch_exists(s, "lock"));
	assert_int_equal(lock_file_open(s->fd, "no/lock", LOCK_SHARED, true, &err), -ENOENT);
	assert_string_equal(err.text, "open lock no/lock: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(never_visible_early),
		SCRATCH_TEST(the_old_content_stays_until_commit),
		SCRATCH_TEST(an_existing_target_wins),
		SCRATCH_TEST(abort_leaves_nothing),
		SCRATCH_TEST(a_failed_commit_leaves_nothing),
		SCRATCH_TEST(to_another_directory),
		SCRATCH_TEST(bytes_in_memory),
		cmocka_unit_test(names_differ),
		SCRATCH_TEST(locks_exclude),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
