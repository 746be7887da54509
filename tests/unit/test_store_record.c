/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include "store_fixture.h"

enum { HOUR = 60 * 60 };

static char *record_path(const struct varve_digest *key)
{
	char hex[VARVE_DIGEST_HEX];

	return xasprintf("store/steps/%s.json", varve_digest_hex(key, hex));
}

static int read_back(const struct fixture *f, const struct varve_digest *key)
{
	CLEANUP(store_record_release) struct store_record got = {0};
	struct varve_error err = {0};
	int r = store_record_read(f->store, key, &got, &err);

	if (r == -VARVE_E_NOT_FOUND)
		assert_string_equal(err.text, "");
	return r;
}

static void a_record_comes_back(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_record_release) struct store_record put = fixture_record(f->store, "one");
	CLEANUP(store_record_release) struct store_record got = {0};

	assert_int_equal(read_back(f, &put.key), -VARVE_E_NOT_FOUND);
	assert_int_equal(store_record_write(f->store, &put, NULL), 0);
	assert_int_equal(store_record_read(f->store, &put.key, &got, NULL), 0);
	assert_true(json_equal(put.input, got.input));
	assert_true(varve_digest_equal(&put.key, &got.key));
	assert_int_equal(got.layers.count, 1);
	assert_memory_equal(put.layers.items, got.layers.items, sizeof(struct varve_layer));
	assert_string_equal(got.compression, "zstd:3");
	assert_string_equal(got.compressor, "zstd 1.5");
	assert_string_equal(got.step, "r/s/t");
}

static void a_step_without_a_layer_has_a_record(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_record_release) struct store_record put = {.input = json_object()};

	json_digest(put.input, &put.key);
	assert_int_equal(store_record_write(f->store, &put, NULL), 0);
	assert_int_equal(read_back(f, &put.key), 0);
}

static void without_its_blob_a_record_is_absent(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_record_release) struct store_record put = fixture_record(f->store, "one");
	CLEANUP(free_ptr) char *path = fixture_blob_path(&put.layers.items[0].blob.digest);

	assert_int_equal(store_record_write(f->store, &put, NULL), 0);
	assert_int_equal(unlinkat(f->scratch->fd, path, 0), 0);
	assert_int_equal(read_back(f, &put.key), -VARVE_E_NOT_FOUND);
	(void)fixture_put(f->store, "one");
	assert_int_equal(read_back(f, &put.key), 0);
}

/* Each is a record with one thing wrong: the first occurrence of what is replaced by with. */
static const struct {
	const char *what, *with;
} wrongs[] = {
	{"{", ""},
	{"\"varve-record\":1", "\"varve-record\":2"},
	{"\"varve-record\":1", "\"varve-record\":\"1\""},
	{"\"n\":\"one\"", "\"n\":\"two\""},
	{"\"n\":\"one\"", "\"n\":1.5"},
	{"\"input\":{\"n\":\"one\"}", "\"input\":[]"},
	{"\"layer\":{", "\"other\":{"},
	{"\"diffId\":\"sha256:", "\"diffId\":\"sha512:"},
	{"\"entries\":1", "\"entries\":-1"},
	{"\"size\":3", "\"size\":4"},
	{"\"compression\":\"zstd:3\"", "\"compression\":\"zstd:333333333333\""},
	{"\"step\":\"r/s/t\"", "\"step\":null"},
};

static char *replace_first(const char *text, const char *what, const char *with)
{
	const char *at = strstr(text, what);

	assert_non_null(at);
	return xasprintf("%.*s%s%s", (int)(at - text), text, with, at + strlen(what));
}

static void a_wrong_record_counts_as_absent(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_record_release) struct store_record put = fixture_record(f->store, "one");
	CLEANUP(free_ptr) char *path = record_path(&put.key);
	CLEANUP(free_ptr) char *good = NULL;

	assert_int_equal(store_record_write(f->store, &put, NULL), 0);
	good = scratch_read(f->scratch, path);
	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		CLEANUP(free_ptr) char *bad = replace_first(good, wrongs[i].what, wrongs[i].with);

		scratch_write(f->scratch, path, bad);
		if (read_back(f, &put.key) != -VARVE_E_NOT_FOUND)
			fail_msg("accepted: %s", bad);
	}
	scratch_write(f->scratch, path, good);
	assert_int_equal(read_back(f, &put.key), 0);
	assert_int_equal(store_record_write(f->store, &put, NULL), 0);
}

static void reading_touches_once_a_day(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_record_release) struct store_record put = fixture_record(f->store, "one");
	CLEANUP(free_ptr) char *path = record_path(&put.key);
	time_t now = time(NULL);

	assert_int_equal(store_record_write(f->store, &put, NULL), 0);
	fixture_set_age(f, path, (time_t)23 * HOUR);
	assert_int_equal(read_back(f, &put.key), 0);
	assert_true(fixture_mtime(f, path) < now - (time_t)22 * HOUR);
	fixture_set_age(f, path, (time_t)25 * HOUR);
	assert_int_equal(read_back(f, &put.key), 0);
	assert_true(fixture_mtime(f, path) >= now - 1);
}

static void another_blob_of_a_layer_is_found(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_record_release) struct store_record a = fixture_record(f->store, "one");
	CLEANUP(free_ptr) char *path = fixture_blob_path(&a.layers.items[0].blob.digest);
	struct varve_layer got;

	assert_int_equal(store_note_blob_of_layer(f->store, &a.layers.items[0], "gzip:6", NULL), 0);
	assert_int_equal(store_blob_of_layer(f->store, &a.layers.items[0].diff_id, "zstd:3", &got),
			 -VARVE_E_NOT_FOUND);
	assert_int_equal(store_blob_of_layer(f->store, &a.layers.items[0].diff_id, "gzip:6", &got),
			 0);
	assert_true(varve_digest_equal(&got.blob.digest, &a.layers.items[0].blob.digest));
	assert_int_equal(unlinkat(f->scratch->fd, path, 0), 0);
	assert_int_equal(store_blob_of_layer(f->store, &a.layers.items[0].diff_id, "gzip:6", &got),
			 -VARVE_E_NOT_FOUND);
}

static void roots_are_written_once(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest list[2] = {fixture_digest("a"), fixture_digest("b")};
	CLEANUP(free_ptr) char *text = NULL;

	assert_int_equal(store_root_set(f->store, "system", list, 2, NULL), 0);
	text = scratch_read(f->scratch, "store/roots/system.json");
	assert_true(str_starts(text, "{\"digests\":[\"sha256:"));
	fixture_set_age(f, "store/roots/system.json", 1000);
	assert_int_equal(store_root_set(f->store, "system", list, 2, NULL), 0);
	assert_true(fixture_mtime(f, "store/roots/system.json") < time(NULL) - 900);
	assert_int_equal(store_root_set(f->store, "system", list, 1, NULL), 0);
	assert_true(fixture_mtime(f, "store/roots/system.json") > time(NULL) - 900);
	assert_int_equal(store_root_set(f->store, "../x", list, 1, NULL), -EINVAL);
	assert_int_equal(store_root_set(f->store, "a/b", list, 1, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_record_comes_back),
		STORE_TEST(a_step_without_a_layer_has_a_record),
		STORE_TEST(without_its_blob_a_record_is_absent),
		STORE_TEST(a_wrong_record_counts_as_absent),
		STORE_TEST(reading_touches_once_a_day),
		STORE_TEST(another_blob_of_a_layer_is_found),
		STORE_TEST(roots_are_written_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
