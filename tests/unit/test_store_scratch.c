/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include "base/lock_file.h"
#include "store_fixture.h"

/* A directory beside the store. Caller frees. */
static char *make_place(const struct fixture *f)
{
	char *path = xasprintf("%s/local", f->scratch->path);

	assert_int_equal(mkdir(path, 0755), 0);
	return path;
}

static void adopt(struct varve_store *store, const char *text)
{
	struct varve_digest diff_id = fixture_digest(text);
	struct store_job job = STORE_JOB_INIT;
	struct store_tree_lists lists = STORE_TREE_LISTS_INIT;

	assert_int_equal(store_job_begin(store_work(store), &job, NULL), 0);
	assert_int_equal(mkdirat(job.dirfd, "upper", 0755), 0);
	assert_int_equal(
		store_tree_adopt(store, &root_owners, &diff_id, job.dirfd, "upper", &lists, NULL),
		0);
	assert_int_equal(store_job_remove(store_work(store), &job), 0);
}

static bool has(struct varve_store *store, const char *text)
{
	struct varve_digest diff_id = fixture_digest(text);

	return store_tree_exists(store, &root_owners, &diff_id);
}

static void trees_and_jobs_go_there(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *place = make_place(f);
	CLEANUP(free_ptr) char *own = xasprintf("%s/varve-%u", place, (unsigned)geteuid());
	struct stat st;

	adopt(f->store, "before");
	assert_int_equal(store_use_scratch(f->store, place, NULL), 0);
	assert_true(store_is_scratch(store_work(f->store)));
	assert_string_equal(store_path(store_work(f->store)), own);
	assert_int_equal(stat(own, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_false(has(f->store, "before"));
	adopt(f->store, "there");
	assert_true(has(f->store, "there"));
	assert_int_equal(store_reopen(f->store, NULL), 0);
	assert_true(has(f->store, "there"));
	store_drop_scratch(f->store);
	assert_ptr_equal(store_work(f->store), f->store);
	assert_true(has(f->store, "before"));
	assert_false(has(f->store, "there"));
}

static void both_are_swept_and_collected(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *place = make_place(f);
	const struct store_gc_options options = {.trees = true};
	struct store_gc_result result;
	struct store_usage usage;

	adopt(f->store, "before");
	assert_int_equal(store_use_scratch(f->store, place, NULL), 0);
	adopt(f->store, "there");
	assert_int_equal(mkdirat(store_dirfd(store_work(f->store)), "tmp/job-1", 0755), 0);
	assert_true(store_needs_sweep(f->store));
	assert_int_equal(store_sweep(f->store, NULL), 0);
	assert_false(store_needs_sweep(f->store));
	assert_int_equal(store_du(f->store, &usage, NULL), 0);
	assert_true(usage.scratch > 0);
	assert_int_equal(store_gc(f->store, &options, &result, NULL), 0);
	assert_int_equal(result.trees, 2);
	assert_false(has(f->store, "there"));
}

/* Another store of the same account uses it. */
static void others_keep_gc_out(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *place = make_place(f);
	CLEANUP(free_ptr) char *second = xasprintf("%s/second", f->scratch->path);
	CLEANUP(varve_store_closep) struct varve_store *other = fixture_open(second);
	const struct store_gc_options options = {.trees = true};
	struct store_gc_result result;
	struct varve_error err = {0};

	assert_int_equal(store_use_scratch(f->store, place, NULL), 0);
	assert_int_equal(store_use_scratch(other, place, NULL), 0);
	assert_int_equal(store_gc(f->store, &options, &result, &err), -EWOULDBLOCK);
	assert_non_null(strstr(err.text, "another varve uses the scratch directory"));
	store_drop_scratch(other);
	assert_int_equal(store_gc(f->store, &options, &result, NULL), 0);
}

static void what_cannot_be_used_is_said(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *place = make_place(f);
	CLEANUP(free_ptr) char *own = xasprintf("%s/varve-%u", place, (unsigned)geteuid());
	struct varve_error err = {0};

	assert_int_equal(store_use_scratch(f->store, "/nonexistent", &err), -VARVE_E_HOST);
	assert_non_null(strstr(err.text, "open the scratch directory /nonexistent"));
	assert_int_equal(symlink("/", own), 0);
	assert_int_equal(store_use_scratch(f->store, place, &err), -VARVE_E_HOST);
	assert_ptr_equal(store_work(f->store), f->store);
}

static void a_directory_is_held_alone(void **state)
{
	const struct fixture *f = *state;
	int lock = -1;

	assert_int_equal(lock_directory(store_dirfd(f->store), &lock), 0);
	assert_int_equal(lock, -1);
	lock_directory_drop(store_dirfd(f->store), &lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(trees_and_jobs_go_there),   STORE_TEST(both_are_swept_and_collected),
		STORE_TEST(others_keep_gc_out),        STORE_TEST(what_cannot_be_used_is_said),
		STORE_TEST(a_directory_is_held_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
