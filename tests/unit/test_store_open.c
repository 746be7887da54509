/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_fixture.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
