/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/wait.h>
#include "store_fixture.h"

static const char *const bad_names[] = {"", ".", "..", "../x", "a/b", "/etc", "store"};

static void lock_names_stay_inside(void **state)
{
	const struct fixture *f = *state;
	int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++)
		assert_int_equal(store_lock(f->store, bad_names[i], true, false, &fd, NULL),
				 -EINVAL);
	assert_int_equal(fd, -1);
}

static void a_lock_excludes(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(fd_close) int a = -1, b = -1, c = -1;

	assert_int_equal(store_lock(f->store, "step-1", true, false, &a, NULL), 0);
	assert_int_equal(store_lock(f->store, "step-1", true, false, &b, NULL), -EWOULDBLOCK);
	assert_int_equal(store_lock(f->store, "step-1", false, false, &b, NULL), -EWOULDBLOCK);
	fd_close(&a);
	assert_int_equal(store_lock(f->store, "step-1", false, false, &b, NULL), 0);
	assert_int_equal(store_lock(f->store, "step-1", false, true, &c, NULL), 0);
}

static void facts_come_back(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	assert_int_equal(store_fact_read(f->store, "dir/name", &text), -ENOENT);
	assert_int_equal(store_fact_write(f->store, "dir/name", "old", 3), 0);
	assert_int_equal(store_fact_write(f->store, "dir/name", "fact", 4), 0);
	assert_int_equal(store_fact_read(f->store, "dir/name", &text), 0);
	assert_string_equal(buf_text(&text), "fact");
	assert_int_equal(store_fact_write(f->store, "../index.json", "x", 1), -EINVAL);
	assert_int_equal(store_fact_read(f->store, "../index.json", &text), -EINVAL);
}

static void a_living_job_is_not_swept(void **state)
{
	const struct fixture *f = *state;
	struct store_job job = STORE_JOB_INIT;
	CLEANUP(free_ptr) char *inside = NULL;

	assert_int_equal(store_job_begin(f->store, &job, NULL), 0);
	inside = xasprintf("%s/dir", job.path);
	assert_int_equal(mkdirat(job.dirfd, "dir", 0700), 0);
	assert_int_equal(access(inside, F_OK), 0);
	assert_false(store_needs_sweep(f->store));
	assert_int_equal(store_sweep(f->store, NULL), 0);
	assert_int_equal(access(inside, F_OK), 0);
	assert_int_equal(store_job_remove(f->store, &job), 0);
	assert_int_equal(access(inside, F_OK), -1);
	assert_int_equal(job.dirfd, -1);
	store_job_release(&job);
}

static void what_the_dead_left_is_swept(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_blob_abort) struct store_blob_writer living = {0};
	int status = 0;
	pid_t pid;

	assert_int_equal(store_blob_begin(f->store, &living, NULL), 0);
	pid = fork();
	if (pid == 0) {
		struct store_job job = STORE_JOB_INIT;
		struct store_blob_writer w;
		bool ok = store_job_begin(f->store, &job, NULL) == 0 &&
			  mkdirat(job.dirfd, "work", 0) == 0 &&
			  mkdirat(job.dirfd, "root", 0755) == 0 &&
			  store_blob_begin(f->store, &w, NULL) == 0 &&
			  sink_write(&w.sink, "half", 4) == 0;

		_exit(ok ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(mkdirat(store_dirfd(f->store), "tmp/dead-1", 0755), 0);
	assert_true(store_needs_sweep(f->store));
	assert_int_equal(store_sweep(f->store, NULL), 0);
	assert_false(store_needs_sweep(f->store));
	assert_int_equal(sink_write(&living.sink, "alive", 5), 0);
	assert_int_equal(store_blob_commit(&living, NULL, &(struct varve_digest){{0}}, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(lock_names_stay_inside),
		STORE_TEST(a_lock_excludes),
		STORE_TEST(facts_come_back),
		STORE_TEST(a_living_job_is_not_swept),
		STORE_TEST(what_the_dead_left_is_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
