/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include "store_fixture.h"

static struct varve_descriptor manifest_of(const char *text)
{
	struct varve_descriptor d = {.media_type = VARVE_MEDIA_MANIFEST, .size = strlen(text)};

	d.digest = fixture_digest(text);
	return d;
}

static void set(const struct fixture *f, const char *name, const char *text)
{
	struct varve_descriptor d = manifest_of(text);
	struct varve_error err = {0};

	if (store_index_set(f->store, name, &d, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

static void assert_found(const struct fixture *f, const char *name, const char *text)
{
	struct varve_descriptor want = manifest_of(text), got;
	struct varve_error err = {0};

	if (store_index_find(f->store, name, &got, &err) < 0)
		fail_msg("%s", err.text);
	assert_memory_equal(&want, &got, sizeof(want));
}

static size_t count(const struct fixture *f)
{
	CLEANUP(json_decrefp) json_t *index = NULL;

	assert_int_equal(store_index_read(f->store, &index, NULL), 0);
	return json_array_size(json_object_get(index, "manifests"));
}

static void names_are_found(void **state)
{
	const struct fixture *f = *state;
	struct varve_descriptor two = manifest_of("two");
	char text[VARVE_DIGEST_TEXT];

	set(f, "a:1", "one");
	set(f, "b:2", "two");
	assert_found(f, "a:1", "one");
	assert_found(f, "b:2", "two");
	assert_found(f, varve_digest_text(&two.digest, text), "two");
	assert_int_equal(count(f), 2);
}

static void a_name_moves_to_a_new_manifest(void **state)
{
	const struct fixture *f = *state;

	set(f, "a:1", "one");
	set(f, "b:2", "two");
	set(f, "a:1", "three");
	assert_found(f, "a:1", "three");
	assert_int_equal(count(f), 2);
}

static void an_equal_entry_is_not_written(void **state)
{
	const struct fixture *f = *state;

	set(f, "a:1", "one");
	fixture_set_age(f, "store/index.json", 1000);
	set(f, "a:1", "one");
	assert_true(fixture_mtime(f, "store/index.json") < time(NULL) - 900);
	set(f, "a:1", "two");
	assert_true(fixture_mtime(f, "store/index.json") > time(NULL) - 900);
}

static void annotations_are_kept(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(json_decrefp) json_t *notes = json_object(), *index = NULL;
	struct varve_descriptor d = manifest_of("one");
	const json_t *got;

	json_set(notes, "org.example.key", json_text("value"));
	assert_int_equal(store_index_set(f->store, "a:1", &d, notes, NULL), 0);
	assert_int_equal(json_object_size(notes), 1);
	assert_int_equal(store_index_read(f->store, &index, NULL), 0);
	got = json_object_get(json_array_get(json_object_get(index, "manifests"), 0),
			      "annotations");
	assert_string_equal(json_string_value(json_object_get(got, "org.example.key")), "value");
	assert_string_equal(
		json_string_value(json_object_get(got, "org.opencontainers.image.ref.name")),
		"a:1");
}

static void members_of_other_tools_survive(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(json_decrefp) json_t *index = NULL;

	scratch_write(
		f->scratch, "store/index.json",
		"{\"schemaVersion\":2,\"annotations\":{\"k\":\"v\"},\"manifests\":["
		"{\"mediaType\":\"x/y\",\"digest\":\"sha512:00\",\"size\":1,\"urls\":[\"u\"]}]}");
	set(f, "a:1", "one");
	assert_int_equal(store_index_read(f->store, &index, NULL), 0);
	assert_non_null(json_object_get(json_object_get(index, "annotations"), "k"));
	assert_int_equal(count(f), 2);
	assert_found(f, "a:1", "one");
}

static void removing(void **state)
{
	const struct fixture *f = *state;
	struct varve_error err = {0};

	set(f, "a:1", "one");
	set(f, "b:2", "two");
	assert_int_equal(store_index_remove(f->store, "a:1", &err), 0);
	assert_int_equal(count(f), 1);
	assert_int_equal(store_index_remove(f->store, "a:1", &err), -VARVE_E_NOT_FOUND);
	assert_found(f, "b:2", "two");
}

static void an_unknown_name_is_met_with_the_nearest(void **state)
{
	const struct fixture *f = *state;
	struct varve_descriptor got;
	struct varve_error err = {0};

	assert_int_equal(store_index_find(f->store, "hello:1", &got, &err), -VARVE_E_NOT_FOUND);
	assert_non_null(strstr(err.text, "varve images"));
	set(f, "hello:latest", "one");
	assert_int_equal(store_index_find(f->store, "helo:latest", &got, &err), -VARVE_E_NOT_FOUND);
	assert_non_null(strstr(err.text, "did you mean \"hello:latest\""));
}

static const char *const bad_indexes[] = {
	"",
	"[]",
	"{",
	"{\"schemaVersion\":2}",
	"{\"manifests\":{}}",
	"{\"manifests\":[],\"x\":1.5}",
};

static void a_malformed_index_is_an_error_and_stays(void **state)
{
	const struct fixture *f = *state;
	struct varve_descriptor d = manifest_of("one");

	for (size_t i = 0; i < ARRAY_SIZE(bad_indexes); i++) {
		CLEANUP(free_ptr) char *after = NULL;
		struct varve_error err = {0};

		scratch_write(f->scratch, "store/index.json", bad_indexes[i]);
		assert_int_equal(store_index_set(f->store, "a", &d, NULL, &err), -VARVE_E_FORMAT);
		assert_non_null(strstr(err.text, f->scratch->path));
		after = scratch_read(f->scratch, "store/index.json");
		assert_string_equal(after, bad_indexes[i]);
	}
}

static void an_absent_index_is_an_empty_one(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(unlinkat(f->scratch->fd, "store/index.json", 0), 0);
	assert_int_equal(count(f), 0);
	set(f, "a:1", "one");
	assert_found(f, "a:1", "one");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(names_are_found),
		STORE_TEST(a_name_moves_to_a_new_manifest),
		STORE_TEST(an_equal_entry_is_not_written),
		STORE_TEST(annotations_are_kept),
		STORE_TEST(members_of_other_tools_survive),
		STORE_TEST(removing),
		STORE_TEST(an_unknown_name_is_met_with_the_nearest),
		STORE_TEST(a_malformed_index_is_an_error_and_stays),
		STORE_TEST(an_absent_index_is_an_empty_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
