/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/referrers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BLOB(type) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" HEX "\",\"size\":7}"
#define ARTIFACT(more)                                                                             \
	"{\"schemaVersion\":2,\"config\":" BLOB("c/type") ",\"layers\":[],\"subject\":" BLOB(      \
		VARVE_MEDIA_MANIFEST) more "}"

static void parse(const char *text, struct manifest *ret)
{
	struct buf bytes = BUF_INIT;

	buf_addstr(&bytes, text);
	assert_int_equal(manifest_parse(&bytes, "", ret, NULL), 0);
}

static const char *type_of(const json_t *index, size_t i)
{
	return json_optional_string(json_array_get(json_object_get(index, "manifests"), i),
				    "artifactType", "");
}

static void enters_each_once(void **state)
{
	CLEANUP(manifest_release) struct manifest first = {0};
	CLEANUP(manifest_release) struct manifest second = {0};
	CLEANUP(json_decrefp) json_t *one = NULL;
	CLEANUP(json_decrefp) json_t *two = NULL;

	(void)state;
	parse(ARTIFACT(",\"artifactType\":\"a/type\",\"annotations\":{\"k\":\"v\"}"), &first);
	parse(ARTIFACT(""), &second);
	one = referrers_enter(NULL, &first);
	assert_non_null(one);
	assert_null(referrers_enter(one, &first));
	two = referrers_enter(one, &second);
	assert_int_equal(json_array_size(json_object_get(two, "manifests")), 2);
	assert_int_equal(json_array_size(json_object_get(one, "manifests")), 1);
	assert_string_equal(type_of(two, 0), "a/type");
	/* Without one of its own the config's type counts. */
	assert_string_equal(type_of(two, 1), "c/type");
	assert_string_equal(
		json_optional_string(
			json_object_get(json_array_get(json_object_get(two, "manifests"), 0),
					"annotations"),
			"k", ""),
		"v");
}

static void filters_by_type(void **state)
{
	CLEANUP(manifest_release) struct manifest first = {0};
	CLEANUP(manifest_release) struct manifest second = {0};
	CLEANUP(json_decrefp) json_t *one = NULL;
	CLEANUP(json_decrefp) json_t *two = NULL;
	CLEANUP(json_decrefp) json_t *of_type = NULL;
	CLEANUP(json_decrefp) json_t *all = NULL;
	CLEANUP(json_decrefp) json_t *none = NULL;

	(void)state;
	parse(ARTIFACT(",\"artifactType\":\"a/type\""), &first);
	parse(ARTIFACT(""), &second);
	one = referrers_enter(NULL, &first);
	two = referrers_enter(one, &second);
	of_type = referrers_filter(two, "c/type");
	assert_int_equal(json_array_size(json_object_get(of_type, "manifests")), 1);
	assert_string_equal(type_of(of_type, 0), "c/type");
	all = referrers_filter(two, NULL);
	assert_true(json_equal(all, two));
	none = referrers_filter(NULL, "a/type");
	assert_int_equal(json_array_size(json_object_get(none, "manifests")), 0);
}

/* result: of referrers_subject; negative where it must fail. */
static const struct {
	const char *manifest;
	int result;
} subjects[] = {
	{ARTIFACT(""), 1},
	{"{\"schemaVersion\":2,\"config\":" BLOB("c/t") ",\"layers\":[]}", 0},
	{"{\"schemaVersion\":2,\"config\":" BLOB("c/t") ",\"layers\":[],\"subject\":null}", 0},
	{"{\"schemaVersion\":2,\"config\":" BLOB("c/t") ",\"layers\":[],\"subject\":7}", -1},
	{"{\"schemaVersion\":2,\"config\":" BLOB("c/t") ",\"layers\":[],\"subject\":{}}", -1},
	{"{\"schemaVersion\":2,\"config\":" BLOB(
		 "c/t") ",\"layers\":[],\"subject\":{\"mediaType\":"
			"\"a/b\",\"digest\":\"sha256:0\",\"size\":1}}",
	 -1},
};

static void finds_subjects(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		CLEANUP(manifest_release) struct manifest m = {0};
		struct varve_descriptor subject;
		struct varve_error err = {0};
		int r;

		parse(subjects[i].manifest, &m);
		r = referrers_subject(&m, &subject, &err);
		if (subjects[i].result < 0 ? r >= 0 || !strstr(err.text, "subject")
					   : r != subjects[i].result)
			fail_msg("%s: %d %s", subjects[i].manifest, r, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(enters_each_once),
					   cmocka_unit_test(filters_by_type),
					   cmocka_unit_test(finds_subjects)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
