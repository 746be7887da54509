/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
#define BLOB(n) "{\"mediaType\":\"t\",\"digest\":\"sha256:" HEX n "\",\"size\":7}"
#define CHILD(n, more)                                                                             \
	"{\"mediaType\":\"" VARVE_MEDIA_MANIFEST "\",\"digest\":\"sha256:" HEX n                   \
	"\",\"size\":7" more "}"
#define PLATFORM(os, arch) ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"}"
#define IMAGE(more)                                                                                \
	"{\"schemaVersion\":2,\"config\":" BLOB("0") ",\"layers\":[" BLOB("1") "]" more "}"
#define INDEX(list)                                                                                \
	"{\"schemaVersion\":2,\"mediaType\":\"" VARVE_MEDIA_INDEX "\",\"manifests\":[" list "]}"

static int parse(const char *text, const char *type, struct manifest *ret, struct varve_error *err)
{
	struct buf bytes = BUF_INIT;

	buf_addstr(&bytes, text);
	return manifest_parse(&bytes, type, ret, err);
}

static void reads_images_and_indexes(void **state)
{
	CLEANUP(manifest_release) struct manifest image = {0};
	CLEANUP(manifest_release) struct manifest index = {0};

	(void)state;
	assert_int_equal(parse(IMAGE(""), VARVE_MEDIA_MANIFEST, &image, NULL), 0);
	assert_false(image.is_index);
	assert_int_equal(image.child_count, 2);
	assert_int_equal(image.self.size, strlen(IMAGE("")));
	assert_int_equal(parse(INDEX(CHILD("0", "")), "", &index, NULL), 0);
	assert_true(index.is_index);
	assert_int_equal(index.child_count, 1);
	assert_string_equal(index.self.media_type, VARVE_MEDIA_INDEX);
}

static const struct {
	const char *text, *type, *why;
} bad[] = {
	{"[]", "", "no JSON object"},
	{"{", "", "manifest:1"},
	{"{}", "", "schemaVersion"},
	{"{\"schemaVersion\":1,\"fsLayers\":[]}", "", "schema 1"},
	{"{\"schemaVersion\":2}", "", "neither"},
	{IMAGE(",\"manifests\":[]"), "", "neither"},
	{IMAGE(""), VARVE_MEDIA_INDEX, "was announced"},
	{IMAGE(",\"mediaType\":\"" VARVE_MEDIA_INDEX "\""), "", "media type"},
	{IMAGE(",\"mediaType\":\"x/y\""), "", "media type"},
	{INDEX("1"), "", "mediaType"},
	{"{\"schemaVersion\":2,\"config\":" BLOB(
		 "0") ",\"layers\":[{\"mediaType\":\"t\",\"digest\":"
		      "\"sha256:" HEX "0\",\"size\":-1}]}",
	 "", "size"},
	{"{\"schemaVersion\":2,\"config\":" BLOB(
		 "0") ",\"layers\":[{\"mediaType\":\"t\",\"digest\":"
		      "\"sha256:" HEX "0\",\"size\":99999999999999999}]}",
	 "", "too large"},
	{"{\"schemaVersion\":2,\"config\":" BLOB(
		 "0") ",\"layers\":[{\"mediaType\":\"t\",\"digest\":"
		      "\"md5:00\",\"size\":1}]}",
	 "", "digest"},
};

static void refuses_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(manifest_release) struct manifest m = {0};
		struct varve_error err = {0};

		if (parse(bad[i].text, bad[i].type, &m, &err) >= 0)
			fail_msg("accepted: %s", bad[i].text);
		if (!strstr(err.text, bad[i].why))
			fail_msg("%s: %s", bad[i].text, err.text);
	}
}

static const char platforms[] = INDEX(
	CHILD("0", PLATFORM("linux", "amd64")) "," CHILD("1", PLATFORM("linux", "arm64")) "," CHILD(
		"2",
		",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\","
		"\"variant\":\"v7\"}") "," CHILD("3",
						 PLATFORM(
							 "unknown",
							 "unknown")) "," CHILD("4",
									       PLATFORM(
										       "linux",
										       "s390x") ",\"annotations\":{"
												"\"vnd.docker.reference.type\":\"attestation-manifest\"}") "," CHILD("5",
																				     ""));

static const struct {
	const char *want;
	int child; /* -1: none */
} choices[] = {
	{"linux/amd64", 0},   {"linux/arm64", 1}, {"linux/arm", 2},        {"linux/arm/v7", 2},
	{"linux/arm/v6", -1}, {"linux/ar", -1},   {"unknown/unknown", -1}, {"linux/s390x", -1},
};

static void chooses_platforms(void **state)
{
	CLEANUP(manifest_release) struct manifest index = {0};

	(void)state;
	assert_int_equal(parse(platforms, "", &index, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		struct varve_descriptor chosen = {0};
		struct varve_error err = {0};
		int r = manifest_choose(&index, choices[i].want, &chosen, &err);

		if (r != (choices[i].child < 0 ? -VARVE_E_NOT_FOUND : 0))
			fail_msg("%s: %d", choices[i].want, r);
		if (r == 0)
			assert_true(varve_digest_equal(&chosen.digest,
						       &index.children[choices[i].child].digest));
		else
			assert_non_null(strstr(err.text, "linux/amd64, linux/arm64, linux/arm/v7"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_images_and_indexes),
		cmocka_unit_test(refuses_others),
		cmocka_unit_test(chooses_platforms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
