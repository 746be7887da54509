/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include "base/strv.h"
#include "store_fixture.h"

/* A directory "upper" of a job, with a file whose text is given. */
static void make_upper(const struct store_job *job, const char *text)
{
	CLEANUP(fd_close) int fd = -1;

	assert_int_equal(mkdirat(job->dirfd, "upper", 0755), 0);
	fd = openat(job->dirfd, "upper/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static int adopt(const struct fixture *f, const char *text, const struct store_tree_lists *implied)
{
	struct varve_digest diff_id = fixture_digest("diff");
	struct store_job job = STORE_JOB_INIT;
	struct varve_error err = {0};
	bool left;
	int r;

	assert_int_equal(store_job_begin(f->store, &job, NULL), 0);
	make_upper(&job, text);
	r = store_tree_adopt(f->store, &root_owners, &diff_id, job.dirfd, "upper", implied, &err);
	if (r < 0)
		fail_msg("%s", err.text);
	left = faccessat(job.dirfd, "upper/file", F_OK, 0) == 0;
	assert_int_equal(store_job_remove(f->store, &job), 0);
	return left;
}

static char *tree_text(const struct fixture *f, struct store_tree_lists *ret_implied)
{
	struct varve_digest diff_id = fixture_digest("diff");
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(fd_close) int fs = -1;

	assert_int_equal(store_tree_open(f->store, &root_owners, &diff_id, &fs, ret_implied, NULL),
			 0);
	assert_int_equal(fd_read_file(fs, "file", 100, &text, NULL), 0);
	return buf_steal(&text);
}

static char *tree_file(const char *name)
{
	struct varve_digest diff_id = fixture_digest("diff");
	char hex[VARVE_DIGEST_HEX];

	return xasprintf("store/trees/root/%s/%s", varve_digest_hex(&diff_id, hex), name);
}

static void a_tree_comes_back(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_tree_lists_release)
	struct store_tree_lists implied = STORE_TREE_LISTS_INIT, got = STORE_TREE_LISTS_INIT;
	CLEANUP(free_ptr) char *text = NULL;
	struct varve_digest diff_id = fixture_digest("diff");
	int fd = -1;

	strv_add(&implied.implied, "etc");
	strv_add(&implied.implied, "etc/a dir\nwith a newline");
	assert_false(store_tree_exists(f->store, &root_owners, &diff_id));
	assert_int_equal(store_tree_open(f->store, &root_owners, &diff_id, &fd, &got, NULL),
			 -VARVE_E_NOT_FOUND);
	assert_false(adopt(f, "one", &implied));
	assert_true(store_tree_exists(f->store, &root_owners, &diff_id));
	assert_false(store_tree_exists(f->store, &subuid_owners, &diff_id));
	text = tree_text(f, &got);
	assert_string_equal(text, "one");
	assert_int_equal(got.implied.count, 2);
	assert_string_equal(got.implied.items[1], "etc/a dir\nwith a newline");
}

static void nothing_implied(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_tree_lists_release)
	struct store_tree_lists none = STORE_TREE_LISTS_INIT, got = STORE_TREE_LISTS_INIT;
	CLEANUP(free_ptr) char *text = NULL;

	assert_false(adopt(f, "one", &none));
	text = tree_text(f, &got);
	assert_string_equal(text, "one");
	assert_int_equal(got.implied.count, 0);
}

static void the_first_tree_wins_and_ours_stays_where_it_is(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_tree_lists_release)
	struct store_tree_lists implied = STORE_TREE_LISTS_INIT, got = STORE_TREE_LISTS_INIT;
	CLEANUP(free_ptr) char *text = NULL;

	assert_false(adopt(f, "first", &implied));
	assert_true(adopt(f, "second", &implied));
	text = tree_text(f, &got);
	assert_string_equal(text, "first");
	assert_false(store_needs_sweep(f->store));
}

static void a_failure_puts_ours_back(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_tree_lists_release) struct store_tree_lists implied = STORE_TREE_LISTS_INIT;
	CLEANUP(free_ptr) char *in_tree = tree_file("");
	struct varve_digest diff_id = fixture_digest("diff");
	struct store_job job = STORE_JOB_INIT;
	struct varve_error err = {0};

	in_tree[strlen(in_tree) - 1] = '\0';
	assert_int_equal(fd_mkdir_p(f->scratch->fd, "store/trees/root", 0755), 0);
	scratch_write(f->scratch, in_tree, "a file where the tree should go");
	assert_int_equal(store_job_begin(f->store, &job, NULL), 0);
	make_upper(&job, "text");
	assert_int_equal(store_tree_adopt(f->store, &root_owners, &diff_id, job.dirfd, "upper",
					  &implied, &err),
			 -ENOTDIR);
	assert_non_null(strstr(err.text, "trees/root/"));
	assert_int_equal(faccessat(job.dirfd, "upper/file", F_OK, 0), 0);
	assert_int_equal(unlinkat(job.dirfd, "upper/file", 0), 0);
	assert_int_equal(unlinkat(job.dirfd, "upper", AT_REMOVEDIR), 0);
	/* Nothing but that was in the job's directory. */
	assert_int_equal(rmdir(job.path), 0);
	assert_int_equal(store_job_remove(f->store, &job), 0);
}

static void a_tree_of_an_earlier_boot_is_not_trusted(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_tree_lists_release)
	struct store_tree_lists implied = STORE_TREE_LISTS_INIT, got = STORE_TREE_LISTS_INIT;
	CLEANUP(free_ptr) char *boot = tree_file("boot"), *text = NULL;
	struct varve_digest diff_id = fixture_digest("diff");
	int fd = -1;

	assert_false(adopt(f, "first", &implied));
	assert_true(scratch_exists(f->scratch, boot));
	scratch_write(f->scratch, boot, "00000000-0000-0000-0000-000000000000\n");
	assert_false(store_tree_exists(f->store, &root_owners, &diff_id));
	assert_int_equal(store_tree_open(f->store, &root_owners, &diff_id, &fd, &got, NULL),
			 -VARVE_E_NOT_FOUND);
	assert_false(adopt(f, "second", &implied));
	text = tree_text(f, &got);
	assert_string_equal(text, "second");
	assert_false(store_needs_sweep(f->store));
}

static void a_flushed_tree_is_good_in_every_boot(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_tree_lists_release)
	struct store_tree_lists implied = STORE_TREE_LISTS_INIT, got = STORE_TREE_LISTS_INIT;
	CLEANUP(free_ptr) char *boot = tree_file("boot"), *text = NULL;

	assert_false(adopt(f, "first", &implied));
	assert_int_equal(unlinkat(f->scratch->fd, boot, 0), 0);
	text = tree_text(f, &got);
	assert_string_equal(text, "first");
}

/* Young: not yet. Old: flushed, unless the machine is busy writing, when it stays as it is. */
static void an_old_tree_is_flushed_when_opened(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_tree_lists_release)
	struct store_tree_lists implied = STORE_TREE_LISTS_INIT, got = STORE_TREE_LISTS_INIT,
				again = STORE_TREE_LISTS_INIT;
	CLEANUP(free_ptr) char *boot = tree_file("boot"), *text = NULL, *more = NULL;

	assert_false(adopt(f, "first", &implied));
	text = tree_text(f, &got);
	assert_string_equal(text, "first");
	assert_true(scratch_exists(f->scratch, boot));
	fixture_set_age(f, boot, 100);
	more = tree_text(f, &again);
	assert_string_equal(more, "first");
	if (scratch_exists(f->scratch, boot))
		print_message("# this machine is busy writing: flushing was put off\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_tree_comes_back),
		STORE_TEST(nothing_implied),
		STORE_TEST(the_first_tree_wins_and_ours_stays_where_it_is),
		STORE_TEST(a_failure_puts_ours_back),
		STORE_TEST(a_tree_of_an_earlier_boot_is_not_trusted),
		STORE_TEST(a_flushed_tree_is_good_in_every_boot),
		STORE_TEST(an_old_tree_is_flushed_when_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
