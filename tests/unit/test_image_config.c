/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "image/image.h"

/* sha256 of 1024 zero bytes: the tar without entries. */
#define EMPTY "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

static const struct {
	int64_t epoch;
	const char *text;
} times[] = {
	{0, "1970-01-01T00:00:00Z"},
	{315532800, "1980-01-01T00:00:00Z"},
	{1709210096, "2024-02-29T12:34:56Z"},
	{-1, "1969-12-31T23:59:59Z"},
	{253402300799, "9999-12-31T23:59:59Z"},
	{INT64_MAX, "9999-12-31T23:59:59Z"},
	{INT64_MIN, "0000-01-01T00:00:00Z"},
};

static void writes_times(void **state)
{
	char text[IMAGE_TIME];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		assert_string_equal(image_time(times[i].epoch, text), times[i].text);
}

static void check(json_t *take_document, const char *want)
{
	CLEANUP(json_decrefp) json_t *document = take_document;
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_canonical(document, &text);
	assert_string_equal(text.data, want);
}

static struct image_layer make_layer(const char *bytes, const char *text)
{
	struct image_layer layer = {.layer.blob.media_type = VARVE_MEDIA_LAYER_ZSTD,
				    .created_by = text,
				    .comment = "sha256:key",
				    .epoch = 86400};

	if (!bytes)
		return layer;
	digest_bytes(bytes, 1, &layer.layer.blob.digest);
	digest_bytes(bytes, 2, &layer.layer.diff_id);
	layer.layer.blob.size = 7;
	layer.layer.entry_count = 3;
	return layer;
}

static void writes_config(void **state)
{
	CLEANUP(json_decrefp) json_t *config = json_object();
	const struct image_layer layers[] = {make_layer("ab", "install system"),
					     make_layer(NULL, "run true"),
					     make_layer("cd", "copy app")};
	const struct image_spec spec = {.platform = "linux/arm64/v8",
					.config = config,
					.layers = layers,
					.layer_count = 3,
					.epoch = 172800};

	(void)state;
	json_set(config, "WorkingDir", json_text("/app"));
	check(image_config_json(&spec),
	      "{\"architecture\":\"arm64\",\"config\":{\"WorkingDir\":\"/app\"},"
	      "\"created\":\"1970-01-03T00:00:00Z\",\"history\":["
	      "{\"comment\":\"sha256:key\",\"created\":\"1970-01-02T00:00:00Z\","
	      "\"created_by\":\"install system\"},"
	      "{\"comment\":\"sha256:key\",\"created\":\"1970-01-02T00:00:00Z\","
	      "\"created_by\":\"run true\",\"empty_layer\":true},"
	      "{\"comment\":\"sha256:key\",\"created\":\"1970-01-02T00:00:00Z\","
	      "\"created_by\":\"copy app\"}],\"os\":\"linux\",\"rootfs\":{\"diff_ids\":["
	      "\"sha256:fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603\","
	      "\"sha256:21e721c35a5823fdb452fa2f9f0a612c74fb952e06927489c6b27a43b817bed4\"],"
	      "\"type\":\"layers\"},\"variant\":\"v8\"}");
}

static void writes_manifest(void **state)
{
	CLEANUP(json_decrefp) json_t *annotations = json_object();
	const struct image_layer layers[] = {make_layer(NULL, "run true"), make_layer("ab", "x")};
	const struct image_spec spec = {.platform = "linux/amd64",
					.layers = layers,
					.layer_count = 2,
					.annotations = annotations};
	struct varve_descriptor config = {.media_type = VARVE_MEDIA_CONFIG, .size = 5};

	(void)state;
	digest_bytes("", 0, &config.digest);
	json_set(annotations, "k", json_text("v"));
	check(image_manifest_json(&spec, &config),
	      "{\"annotations\":{\"k\":\"v\"},\"config\":{\"digest\":\"sha256:"
	      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
	      "\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"size\":5},"
	      "\"layers\":[{\"digest\":\"sha256:"
	      "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\","
	      "\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+zstd\",\"size\":7}],"
	      "\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"schemaVersion\":2}");
}

static void names_a_layer_where_there_is_none(void **state)
{
	const struct image_layer layers[] = {make_layer(NULL, "run true")};
	const struct image_spec spec = {
		.platform = "linux/amd64", .layers = layers, .layer_count = 1};
	CLEANUP(json_decrefp) json_t *config = image_config_json(&spec);
	const struct varve_descriptor descriptor = {.media_type = VARVE_MEDIA_CONFIG};
	CLEANUP(json_decrefp) json_t *manifest = image_manifest_json(&spec, &descriptor);
	const json_t *diff_ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
	const json_t *layer = json_array_get(json_object_get(manifest, "layers"), 0);

	(void)state;
	assert_int_equal(json_array_size(diff_ids), 1);
	assert_string_equal(json_string_value(json_array_get(diff_ids, 0)), EMPTY);
	assert_string_equal(json_optional_string(layer, "digest", ""), EMPTY);
	assert_int_equal(json_array_size(json_object_get(config, "history")), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_times),
		cmocka_unit_test(writes_config),
		cmocka_unit_test(writes_manifest),
		cmocka_unit_test(names_a_layer_where_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
