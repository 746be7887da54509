/* SPDX-License-Identifier: Apache-2.0
 * Layouts read in place, and the pure parts of image sources and bundles. */
#include "source/layout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/digest.h"
#include "base/strv.h"
#include "layer/layer_tar.h"
#include "source/bundle.h"
#include "source/source_image.h"
#include "store_fixture.h"

static void put(struct buf *tar, enum tar_type type, const char *path, const char *content,
		const char *link)
{
	static const char zeros[TAR_BLOCK];
	const struct tar_entry entry = {
		.type = type, .path = path, .mode = 0644, .size = strlen(content), .link = link};

	tar_header(&entry, tar);
	buf_addstr(tar, content);
	buf_add(tar, zeros, tar_padding(strlen(content)));
}

static char *write_archive(const struct fixture *f)
{
	static const char zeros[TAR_END];
	CLEANUP(buf_release) struct buf tar = BUF_INIT;
	CLEANUP(fd_close)
	int fd = openat(f->scratch->fd, "a.tar", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	put(&tar, TAR_FILE, "./dir//one", "first", NULL);
	put(&tar, TAR_FILE, "two", "", NULL);
	put(&tar, TAR_SYMLINK, "dir/link", "", "../dir/one");
	put(&tar, TAR_LINK, "hard", "", "dir/one");
	put(&tar, TAR_SYMLINK, "out", "", "../../etc/passwd");
	put(&tar, TAR_SYMLINK, "loop", "", "loop");
	put(&tar, TAR_FILE, "dir/one", "second", NULL);
	buf_add(&tar, zeros, sizeof(zeros));
	assert_int_equal(fd_write_all(fd, tar.data, tar.len), 0);
	return xasprintf("%s/a.tar", f->scratch->path);
}

static void test_archive(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(layout_release) struct layout layout = LAYOUT_INIT;
	CLEANUP(free_ptr) char *path = write_archive(f);
	static const char *const names[] = {"dir/one", "dir/link", "hard"};
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	assert_int_equal(layout_open(path, &layout, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		buf_reset(&text);
		assert_int_equal(layout_read(&layout, names[i], 100, &text, NULL), 0);
		assert_string_equal(buf_text(&text), "second"); /* the later one counts */
	}
	buf_reset(&text);
	assert_int_equal(layout_read(&layout, "two", 100, &text, NULL), 0);
	assert_int_equal(text.len, 0);
	assert_int_equal(layout_read(&layout, "dir/one", 5, &text, NULL), -VARVE_E_LIMIT);
	assert_int_equal(layout_read(&layout, "out", 100, &text, NULL), -ENOENT);
	assert_int_equal(layout_read(&layout, "loop", 100, &text, NULL), -ENOENT);
	assert_int_equal(layout_read(&layout, "../x", 100, &text, NULL), -EINVAL);
	assert_true(layout_has(&layout, "hard"));
	assert_false(layout_has(&layout, "dir"));
}

static void test_import(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(layout_release) struct layout layout = LAYOUT_INIT;
	CLEANUP(free_ptr) char *path = write_archive(f);
	struct varve_descriptor got, want = {.size = 6};
	struct varve_error err = {0};
	struct varve_digest wrong;

	digest_bytes("second", 6, &want.digest);
	digest_bytes("x", 1, &wrong);
	assert_int_equal(layout_open(path, &layout, NULL), 0);
	assert_int_equal(layout_import(&layout, "hard", f->store, &wrong, &got, &err),
			 -VARVE_E_DIGEST);
	assert_non_null(strstr(err.text, "hard"));
	assert_int_equal(layout_import(&layout, "hard", f->store, NULL, &got, NULL), 0);
	assert_true(varve_digest_equal(&got.digest, &want.digest));
	assert_true(varve_store_has_blob(f->store, &want.digest, NULL));
	assert_int_equal(layout_verify(&layout, "hard", &want, NULL), 0);
	want.size = 5;
	assert_int_equal(layout_verify(&layout, "hard", &want, NULL), -VARVE_E_DIGEST);
}

static void test_directory(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(layout_release) struct layout layout = LAYOUT_INIT;
	CLEANUP(strv_release) struct strv list = STRV_INIT;
	CLEANUP(free_ptr) char *all = NULL;

	assert_int_equal(mkdirat(f->scratch->fd, "l", 0755), 0);
	assert_int_equal(fd_mkdir_p(f->scratch->fd, "l/blobs/sha256", 0755), 0);
	scratch_write(f->scratch, "l/index.json", "{}");
	scratch_write(f->scratch, "secret", "s");
	assert_int_equal(symlinkat("../secret", f->scratch->fd, "l/link"), 0);
	assert_int_equal(symlinkat("..", f->scratch->fd, "l/up"), 0);
	{
		CLEANUP(free_ptr) char *path = xasprintf("%s/l", f->scratch->path);

		assert_int_equal(layout_open(path, &layout, NULL), 0);
	}
	assert_true(layout_has(&layout, "index.json"));
	assert_false(layout_has(&layout, "link"));
	assert_false(layout_has(&layout, "up/secret"));
	assert_false(layout_has(&layout, "blobs"));
	assert_int_equal(layout_list(&layout, &list, NULL), 0);
	all = strv_join(&list, " ");
	assert_string_equal(all, "blobs blobs/sha256 index.json link up");
}

static void test_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t date;
	} cases[] = {
		{"2023-11-14T22:13:20Z", 1700000000},
		{"2023-11-14T22:13:20.123456789Z", 1700000000},
		{"2023-11-14T23:13:20+01:00", 1700000000},
		{"2023-11-14T21:43:20.5-00:30", 1700000000},
		{"0001-01-01T00:00:00Z", 0},
		{"1970-01-01T00:00:00Z", 0},
		{"", 0},
		{"yesterday", 0},
		{"99999-01-01T00:00:00Z", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (source_image_date(cases[i].text) != cases[i].date)
			fail_msg("%s", cases[i].text);
}

static void test_platforms(void **state)
{
	CLEANUP(json_decrefp) json_t *object = json_object();

	(void)state;
	json_set(object, "os", json_text("linux"));
	json_set(object, "architecture", json_text("arm64"));
	json_set(object, "variant", json_text("v8"));
	assert_true(source_image_matches(object, "linux/arm64"));
	assert_true(source_image_matches(object, "linux/arm64/v8"));
	assert_false(source_image_matches(object, "linux/arm64/v9"));
	assert_false(source_image_matches(object, "linux/amd64"));
	assert_null(source_image_layer_type("application/vnd.oci.image.layer.v1.tar+brotli"));
	assert_string_equal(
		source_image_layer_type("application/vnd.docker.image.rootfs.diff.tar.gzip"),
		VARVE_MEDIA_LAYER_GZIP);
}

#define CONFIG                                                                                     \
	"{\"varve-bundle\":1,\"name\":\"n\",\"recipe\":\"%s\",\"lock\":\"%s\",\"platform\":\"p\"," \
	"\"settings\":[],\"images\":[],\"sources\":[]}"

static void test_bundle_config(void **state)
{
	static const struct {
		const char *recipe, *lock;
		bool good;
	} cases[] = {{"r.yaml", "", true},        {"a/r.yaml", "a/r.lock.json", true},
		     {"../r.yaml", "", false},    {"/r.yaml", "", false},
		     {"r.yaml", "/etc/x", false}, {"", "", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_ptr) char *text = xasprintf(CONFIG, cases[i].recipe, cases[i].lock);
		CLEANUP(json_decrefp) json_t *config = NULL;

		assert_int_equal(json_parse(text, strlen(text), "x", &config, NULL), 0);
		assert_int_equal(bundle_config_check(config, NULL),
				 cases[i].good ? 0 : -VARVE_E_FORMAT);
	}
}

static void test_bundle_manifest(void **state)
{
	CLEANUP(bundle_release) struct bundle bundle = {0};
	CLEANUP(bundle_release) struct bundle again = {0};
	CLEANUP(json_decrefp) json_t *manifest = NULL;
	struct varve_descriptor blob = {.media_type = VARVE_BUNDLE_ARTIFACT, .size = 1};

	(void)state;
	(void)snprintf(bundle.config_descriptor.media_type,
		       sizeof(bundle.config_descriptor.media_type), "%s", VARVE_BUNDLE_CONFIG);
	digest_bytes("a", 1, &blob.digest);
	bundle_add(&bundle, &blob, "a 1.0");
	bundle_add(&bundle, &blob, "again");
	digest_bytes("b", 1, &blob.digest);
	bundle_add(&bundle, &blob, "b");
	manifest = bundle_manifest_json(&bundle);
	assert_int_equal(bundle_manifest_parse(manifest, &again, NULL), 0);
	assert_int_equal(again.count, 2);
	assert_string_equal(again.blobs[0].title, "a 1.0");
	json_set(json_object_get(manifest, "config"), "mediaType",
		 json_text("application/vnd.oci.image.config.v1+json"));
	assert_int_equal(bundle_manifest_parse(manifest, &again, NULL), -VARVE_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_archive),
		STORE_TEST(test_import),
		STORE_TEST(test_directory),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_platforms),
		cmocka_unit_test(test_bundle_config),
		cmocka_unit_test(test_bundle_manifest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
