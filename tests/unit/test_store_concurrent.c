/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include "base/strv.h"
#include "store_fixture.h"

enum { WRITERS = 6, ROUNDS = 60, ITEMS = 8, LONGEST_US = 12000 };

/* --- what each writer does ---------------------------------------------------------------------
 */

/* Blob, record, tree and names of item n: all writers make the same ones. */
static int write_item(struct varve_store *store, int writer, int n, struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = xasprintf("item %d, of which every writer makes one", n);
	CLEANUP(free_ptr) char *own = xasprintf("writer-%d:%d", writer, n);
	CLEANUP(store_record_release) struct store_record record = fixture_record(store, text);
	struct varve_descriptor d = record.layers.items[0].blob;
	int r = store_record_write(store, &record, err);

	if (r == 0)
		r = store_note_blob_of_layer(store, &record.layers.items[0], "zstd:3", err);
	if (r == 0)
		r = store_index_set(store, own, &d, NULL, err);
	if (r == 0)
		r = store_index_set(store, "common", &d, NULL, err);
	if (r == 0)
		r = store_root_set(store, "common", &d.digest, 1, err);
	return r;
}

static int write_tree(struct varve_store *store, int n, struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = xasprintf("tree %d", n);
	struct varve_digest diff_id = fixture_digest(text);
	struct store_job job = STORE_JOB_INIT;
	struct store_tree_lists implied = STORE_TREE_LISTS_INIT;
	int r = store_job_begin(store, &job, err);

	if (r == 0 &&
	    (mkdirat(job.dirfd, "upper", 0755) < 0 || mkdirat(job.dirfd, "upper/a", 0755) < 0))
		r = varve_error_set(err, -errno, "mkdir");
	if (r == 0)
		r = store_tree_adopt(store, &root_owners, &diff_id, job.dirfd, "upper", &implied,
				     err);
	if (store_job_remove(store, &job) < 0 && r == 0)
		r = varve_error_set(err, -EIO, "remove the job");
	return r;
}

static int write_all(const char *path, int writer, int count)
{
	CLEANUP(varve_store_closep) struct varve_store *store = NULL;
	struct varve_error err = {0};
	int r = varve_store_open(path, &store, &err);

	for (int n = 0; r == 0 && n < count; n++) {
		r = write_item(store, writer, n % 1000, &err);
		if (r == 0)
			r = write_tree(store, n % 1000, &err);
		if (r == 0 && n % ITEMS == 0)
			r = store_sweep(store, &err);
	}
	if (r < 0)
		print_message("# writer %d: %s\n", writer, err.text);
	return r < 0;
}

static pid_t start_writer(const char *path, int writer, int count)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(write_all(path, writer, count));
	assert_true(pid > 0);
	return pid;
}

/* Sweeps without a pause until it is killed: nothing of the living may go. */
static pid_t start_sweeper(const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct varve_store *store = fixture_open(path);

		while (store_sweep(store, NULL) == 0)
			;
		_exit(1);
	}
	assert_true(pid > 0);
	return pid;
}

/* --- all at once -------------------------------------------------------------------------------
 */

static void assert_whole(const char *path)
{
	CLEANUP(varve_store_closep) struct varve_store *store = fixture_open(path);
	struct varve_error err = {0};

	if (fixture_fault(store))
		fail_msg("%s", fixture_fault(store));
	if (store_sweep(store, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(store_needs_sweep(store));
}

static void assert_complete(const char *path)
{
	CLEANUP(varve_store_closep) struct varve_store *store = fixture_open(path);
	CLEANUP(json_decrefp) json_t *index = NULL;
	struct store_usage usage;

	assert_int_equal(store_index_read(store, &index, NULL), 0);
	assert_int_equal(json_array_size(json_object_get(index, "manifests")), WRITERS * ITEMS + 1);
	assert_int_equal(store_du(store, &usage, NULL), 0);
	assert_int_equal(usage.blob_count, ITEMS);
	assert_int_equal(usage.record_count, ITEMS);
	assert_int_equal(usage.tree_count, ITEMS);
}

static void writers_of_the_same_things_agree(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(free_ptr) char *path = xasprintf("%s/store", s->path);
	pid_t pids[WRITERS], sweeper;
	int status = 0;

	for (int i = 0; i < WRITERS; i++)
		pids[i] = start_writer(path, i, ITEMS);
	sweeper = start_sweeper(path);
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(kill(sweeper, SIGKILL), 0);
	assert_int_equal(waitpid(sweeper, &status, 0), sweeper);
	assert_true(WIFSIGNALED(status)); /* it has met no error */
	assert_whole(path);
	assert_complete(path);
}

/* --- killed ------------------------------------------------------------------------------------
 */

/* Two writers, killed one after the other at moments that differ from round to round. */
static void kill_two(const char *path, unsigned round)
{
	pid_t a = start_writer(path, 1, INT32_MAX), b = start_writer(path, 2, INT32_MAX);
	unsigned us = (round * 7919) % LONGEST_US;
	int status = 0;

	(void)usleep(us);
	assert_int_equal(kill(a, SIGKILL), 0);
	assert_int_equal(waitpid(a, &status, 0), a);
	(void)usleep(us / 4);
	assert_int_equal(kill(b, SIGKILL), 0);
	assert_int_equal(waitpid(b, &status, 0), b);
	assert_true(WIFSIGNALED(status));
}

static void killed_writers_leave_a_whole_store(void **state)
{
	const struct scratch *s = *state;

	for (unsigned round = 0; round < ROUNDS; round++) {
		/* Every fourth round begins with a store that is not there yet. */
		CLEANUP(free_ptr) char *path = xasprintf("%s/store-%u", s->path, round / 4);

		kill_two(path, round);
		assert_whole(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(writers_of_the_same_things_agree),
		SCRATCH_TEST(killed_writers_leave_a_whole_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
