/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include "store_fixture.h"

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

/* --- handed on whole -----------------------------------------------------------------------------
 */

static void set_mtime(const struct fixture *f, const struct varve_digest *digest,
		      struct timespec mtime)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime};
	CLEANUP(free_ptr) char *path = fixture_blob_path(digest);

	assert_int_equal(utimensat(f->scratch->fd, path, times, 0), 0);
}

static const struct timespec long_ago = {.tv_sec = 1000};

/* As another process would find the store. */
static int open_whole(const struct fixture *f, const struct varve_digest *digest,
		      struct varve_error *err)
{
	CLEANUP(varve_store_closep) struct varve_store *other = fixture_open(f->path);
	CLEANUP(fd_close) int fd = -1;

	return store_blob_open_whole(other, digest, &fd, err);
}

/* Not hashed again as long as it looks the same, which is all that this promises. */
static void a_blob_handed_on_is_hashed_once(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest = fixture_put(f->store, "some text");

	set_mtime(f, &digest, long_ago);
	assert_int_equal(open_whole(f, &digest, NULL), 0);
	damage(f, &digest, "same size");
	set_mtime(f, &digest, long_ago);
	assert_int_equal(open_whole(f, &digest, NULL), 0);
}

static void a_blob_that_was_written_to_is_not_handed_on(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest = fixture_put(f->store, "some text");
	struct varve_error err = {0};

	set_mtime(f, &digest, long_ago);
	assert_int_equal(open_whole(f, &digest, NULL), 0);
	damage(f, &digest, "same size");
	assert_int_equal(open_whole(f, &digest, &err), -VARVE_E_DIGEST);
	assert_non_null(strstr(err.text, "damaged"));
	assert_false(varve_store_has_blob(f->store, &digest, NULL));
}

/* Written to within the clock's granularity of being hashed, it would look the same. */
static void a_fresh_blob_is_not_remembered(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest = fixture_put(f->store, "some text");
	CLEANUP(free_ptr) char *path = fixture_blob_path(&digest);
	struct stat st;

	assert_int_equal(open_whole(f, &digest, NULL), 0);
	assert_int_equal(fstatat(f->scratch->fd, path, &st, 0), 0);
	damage(f, &digest, "same size");
	set_mtime(f, &digest, st.st_mtim);
	assert_int_equal(open_whole(f, &digest, NULL), -VARVE_E_DIGEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		STORE_TEST(a_blob_handed_on_is_hashed_once),
		STORE_TEST(a_blob_that_was_written_to_is_not_handed_on),
		STORE_TEST(a_fresh_blob_is_not_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
