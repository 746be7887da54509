/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/wait.h>
#include "base/strv.h"
#include "store_fixture.h"

/* --- opening -----------------------------------------------------------------------------------
 */

static void a_new_store_is_an_image_layout(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *layout = scratch_read(f->scratch, "store/oci-layout");
	CLEANUP(free_ptr) char *index = scratch_read(f->scratch, "store/index.json");

	assert_string_equal(layout, "{\"imageLayoutVersion\":\"1.0.0\"}");
	assert_string_equal(index, "{\"manifests\":[],\"mediaType\":\"" VARVE_MEDIA_INDEX
				   "\",\"schemaVersion\":2}");
	assert_true(scratch_exists(f->scratch, "store/blobs/sha256"));
	assert_int_equal(store_path(f->store)[0], '/');
}

static void opening_twice_changes_nothing(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(varve_store_closep) struct varve_store *again = NULL;

	fixture_set_age(f, "store/index.json", 1000);
	fixture_set_age(f, "store/oci-layout", 1000);
	again = fixture_open(f->path);
	assert_true(fixture_mtime(f, "store/index.json") <= time(NULL) - 1000);
	assert_true(fixture_mtime(f, "store/oci-layout") <= time(NULL) - 1000);
	assert_false(store_needs_sweep(again));
}

static void other_files_are_not_strewn_over(void **state)
{
	const struct fixture *f = *state;
	struct varve_store *store = NULL;
	struct varve_error err = {0};

	scratch_write(f->scratch, "letter.txt", "dear");
	assert_int_equal(varve_store_open(f->scratch->path, &store, &err), -VARVE_E_USAGE);
	assert_non_null(strstr(err.text, "letter.txt"));
	assert_false(scratch_exists(f->scratch, "oci-layout"));
	assert_false(scratch_exists(f->scratch, "lock"));
}

static void a_store_that_was_half_made_is_finished(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(varve_store_closep) struct varve_store *again = NULL;

	assert_int_equal(unlinkat(f->scratch->fd, "store/oci-layout", 0), 0);
	assert_int_equal(unlinkat(f->scratch->fd, "store/index.json", 0), 0);
	assert_int_equal(fd_remove_tree(f->scratch->fd, "store/blobs"), 0);
	again = fixture_open(f->path);
	assert_true(scratch_exists(f->scratch, "store/oci-layout"));
	(void)fixture_put(again, "text");
}

static void the_layout_of_another_tool_is_completed(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(varve_store_closep) struct varve_store *store = NULL;
	CLEANUP(free_ptr) char *path = xasprintf("%s/other", f->scratch->path);
	CLEANUP(free_ptr) char *index = NULL;

	assert_int_equal(fd_mkdir_p(f->scratch->fd, "other/blobs/sha256", 0755), 0);
	scratch_write(f->scratch, "other/oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}\n");
	scratch_write(f->scratch, "other/index.json", "{\"schemaVersion\":2,\"manifests\":[]}");
	scratch_write(f->scratch, "other/README", "mine");
	store = fixture_open(path);
	(void)fixture_put(store, "text");
	index = scratch_read(f->scratch, "other/index.json");
	assert_string_equal(index, "{\"schemaVersion\":2,\"manifests\":[]}");
}

static void a_layout_version_to_come_is_refused(void **state)
{
	const struct fixture *f = *state;
	struct varve_store *store = NULL;
	struct varve_error err = {0};

	scratch_write(f->scratch, "store/oci-layout", "{\"imageLayoutVersion\":\"2.0\"}");
	assert_int_equal(varve_store_open(f->path, &store, &err), -VARVE_E_FORMAT);
	assert_non_null(strstr(err.text, "2.0"));
}

static const struct {
	const char *store, *data, *home, *expected;
} default_paths[] = {
	{"/s", "/d", "/h", "/s"},
	{"rel", NULL, NULL, "rel"},
	{NULL, "/d", "/h", "/d/varve"},
	{"", "/d/", "/h", "/d/varve"},
	{NULL, "relative", "/h", "/h/.local/share/varve"},
	{NULL, NULL, "/h", "/h/.local/share/varve"},
	{NULL, NULL, NULL, NULL},
};

static void set_or_unset(const char *name, const char *value)
{
	assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static void the_default_path_follows_the_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(default_paths); i++) {
		CLEANUP(free_ptr) char *path = NULL;
		struct varve_error err = {0};
		int r;

		set_or_unset("VARVE_STORE", default_paths[i].store);
		set_or_unset("XDG_DATA_HOME", default_paths[i].data);
		set_or_unset("HOME", default_paths[i].home);
		r = varve_store_default_path(&path, &err);
		assert_int_equal(r, default_paths[i].expected ? 0 : -VARVE_E_USAGE);
		if (r == 0)
			assert_string_equal(path, default_paths[i].expected);
	}
}

/* --- blobs -------------------------------------------------------------------------------------
 */

static void a_blob_comes_back(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest = fixture_put(f->store, "some text");
	CLEANUP(free_ptr) char *path = fixture_blob_path(&digest);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err = {0};
	uint64_t size = 0;
	struct stat st;

	assert_true(varve_store_has_blob(f->store, &digest, &size));
	assert_int_equal(size, 9);
	assert_int_equal(store_blob_read(f->store, &digest, 100, &text, &err), 0);
	assert_string_equal(buf_text(&text), "some text");
	assert_int_equal(fstatat(f->scratch->fd, path, &st, 0), 0);
	assert_int_equal(st.st_mode & 0222, 0);
	assert_false(store_needs_sweep(f->store));
}

static void a_blob_over_the_limit_is_refused(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest = fixture_put(f->store, "some text");
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err = {0};

	assert_int_equal(store_blob_read(f->store, &digest, 8, &text, &err), -VARVE_E_LIMIT);
	assert_int_equal(store_blob_read(f->store, &digest, 9, &text, &err), 0);
}

static void an_absent_blob_is_said(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest = fixture_digest("absent");
	struct varve_error err = {0};
	char hex[VARVE_DIGEST_HEX];
	int fd = -1;

	assert_false(varve_store_has_blob(f->store, &digest, NULL));
	assert_int_equal(varve_store_open_blob(f->store, &digest, &fd, &err), -VARVE_E_NOT_FOUND);
	assert_non_null(strstr(err.text, varve_digest_hex(&digest, hex)));
	assert_int_equal(fd, -1);
}

static void damage(const struct fixture *f, const struct varve_digest *digest, const char *text)
{
	CLEANUP(free_ptr) char *path = fixture_blob_path(digest);

	assert_int_equal(fchmodat(f->scratch->fd, path, 0644, 0), 0);
	scratch_write(f->scratch, path, text);
}

static void a_damaged_blob_is_refused_once_and_can_be_put_again(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest = fixture_put(f->store, "some text");
	CLEANUP(varve_store_closep) struct varve_store *other = fixture_open(f->path);
	char hex[VARVE_DIGEST_HEX];
	struct varve_error err = {0};
	CLEANUP(fd_close) int fd = -1;

	damage(f, &digest, "same size");
	assert_int_equal(varve_store_open_blob(other, &digest, &fd, &err), -VARVE_E_DIGEST);
	assert_non_null(strstr(err.text, varve_digest_hex(&digest, hex)));
	assert_int_equal(fd, -1);
	assert_false(varve_store_has_blob(other, &digest, NULL));
	(void)fixture_put(other, "some text");
	assert_int_equal(varve_store_open_blob(other, &digest, &fd, &err), 0);
}

static void a_blob_cut_short_is_replaced(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest = fixture_put(f->store, "some text");
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	damage(f, &digest, "some");
	(void)fixture_put(f->store, "some text");
	assert_int_equal(store_blob_read(f->store, &digest, 100, &text, NULL), 0);
	assert_string_equal(buf_text(&text), "some text");
}

static void a_blob_is_verified_once_in_a_process(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest = fixture_put(f->store, "some text");
	CLEANUP(varve_store_closep) struct varve_store *other = fixture_open(f->path);
	CLEANUP(fd_close) int first = -1, second = -1;

	assert_int_equal(varve_store_open_blob(other, &digest, &first, NULL), 0);
	damage(f, &digest, "same size");
	assert_int_equal(varve_store_open_blob(other, &digest, &second, NULL), 0);
}

static void a_link_in_place_of_a_blob_is_no_blob(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest = fixture_digest("secret");
	CLEANUP(free_ptr) char *path = fixture_blob_path(&digest);
	int fd = -1;

	scratch_write(f->scratch, "secret", "secret");
	assert_int_equal(symlinkat("../../../secret", f->scratch->fd, path), 0);
	assert_false(varve_store_has_blob(f->store, &digest, NULL));
	assert_true(varve_store_open_blob(f->store, &digest, &fd, NULL) < 0);
}

static void a_writer_refuses_other_bytes(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_blob_abort) struct store_blob_writer w = {0};
	struct varve_digest want = fixture_digest("expected"), got = fixture_digest("other");
	struct varve_error err = {0};
	char a[VARVE_DIGEST_HEX], b[VARVE_DIGEST_HEX];

	assert_int_equal(store_blob_begin(f->store, &w, &err), 0);
	assert_int_equal(sink_write(&w.sink, "oth", 3), 0);
	assert_int_equal(sink_write(&w.sink, "er", 2), 0);
	assert_int_equal(sink_close(&w.sink, &err), 0);
	assert_int_equal(store_blob_commit(&w, &want, NULL, &err), -VARVE_E_DIGEST);
	assert_non_null(strstr(err.text, varve_digest_hex(&want, a)));
	assert_non_null(strstr(err.text, varve_digest_hex(&got, b)));
	store_blob_abort(&w);
	store_blob_abort(&w);
	assert_false(varve_store_has_blob(f->store, &want, NULL));
	assert_false(varve_store_has_blob(f->store, &got, NULL));
	assert_false(store_needs_sweep(f->store));
}

static void a_writer_commits(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest want = fixture_digest("expected"), got;

	for (int round = 0; round < 2; round++) {
		CLEANUP(store_blob_abort) struct store_blob_writer w = {0};

		assert_int_equal(store_blob_begin(f->store, &w, NULL), 0);
		assert_int_equal(sink_write(&w.sink, "expected", 8), 0);
		assert_int_equal(store_blob_commit(&w, &want, &got, NULL), 0);
		assert_true(varve_digest_equal(&want, &got));
		assert_true(varve_store_has_blob(f->store, &want, NULL));
	}
	assert_false(store_needs_sweep(f->store));
}

static void a_link_has_the_content(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest = fixture_put(f->store, "some text");
	CLEANUP(free_ptr) char *text = NULL;

	assert_int_equal(store_blob_link(f->store, &digest, f->scratch->fd, "a.deb", NULL), 0);
	text = scratch_read(f->scratch, "a.deb");
	assert_string_equal(text, "some text");
	assert_int_equal(store_blob_link(f->store, &digest, f->scratch->fd, "a.deb", NULL),
			 -EEXIST);
}

/* --- locks, facts, jobs ------------------------------------------------------------------------
 */

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
	CLEANUP(strv_release) struct strv left = STRV_INIT;
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
		STORE_TEST(a_new_store_is_an_image_layout),
		STORE_TEST(opening_twice_changes_nothing),
		STORE_TEST(other_files_are_not_strewn_over),
		STORE_TEST(a_store_that_was_half_made_is_finished),
		STORE_TEST(the_layout_of_another_tool_is_completed),
		STORE_TEST(a_layout_version_to_come_is_refused),
		cmocka_unit_test(the_default_path_follows_the_environment),
		STORE_TEST(a_blob_comes_back),
		STORE_TEST(a_blob_over_the_limit_is_refused),
		STORE_TEST(an_absent_blob_is_said),
		STORE_TEST(a_damaged_blob_is_refused_once_and_can_be_put_again),
		STORE_TEST(a_blob_cut_short_is_replaced),
		STORE_TEST(a_blob_is_verified_once_in_a_process),
		STORE_TEST(a_link_in_place_of_a_blob_is_no_blob),
		STORE_TEST(a_writer_refuses_other_bytes),
		STORE_TEST(a_writer_commits),
		STORE_TEST(a_link_has_the_content),
		STORE_TEST(lock_names_stay_inside),
		STORE_TEST(a_lock_excludes),
		STORE_TEST(facts_come_back),
		STORE_TEST(a_living_job_is_not_swept),
		STORE_TEST(what_the_dead_left_is_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
