/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/digest.h"
#include "base/path.h"
#include "image/image.h"
#include "image/image_tar.h"
#include "scratch.h"
#include "store/store.h"
#include "store/store_batch.h"

/* The compression of these tests: a 'Z' before the bytes. */
static int unpack(int fd, const struct varve_descriptor *blob, struct sink *take_out,
		  struct varve_error *err)
{
	CLEANUP(buf_release) struct buf bytes = BUF_INIT;

	(void)blob;
	assert_int_equal(fd_read_all(fd, 1 << 20, &bytes), 0);
	assert_int_equal(bytes.data[0], 'Z');
	(void)sink_write(take_out, bytes.data + 1, bytes.len - 1);
	return sink_close(take_out, err);
}

struct fixture {
	struct scratch *scratch;
	struct varve_store *store;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	CLEANUP(free_ptr) char *path = NULL;
	void *scratch = NULL;

	assert_int_equal(scratch_setup(&scratch), 0);
	f->scratch = scratch;
	path = path_join(f->scratch->path, "store");
	assert_int_equal(varve_store_open(path, &f->store, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	void *scratch = f->scratch;

	varve_store_close(f->store);
	free(f);
	return scratch_teardown(&scratch);
}

static struct image_layer put_layer(struct varve_store *store, const char *tar)
{
	struct image_layer layer = {.layer.blob.media_type = VARVE_MEDIA_LAYER_ZSTD,
				    .created_by = "run x",
				    .comment = "key",
				    .epoch = 1};
	CLEANUP(free_ptr) char *blob = xasprintf("Z%s", tar);

	layer.layer.blob.size = strlen(blob);
	layer.layer.entry_count = 1;
	digest_bytes(tar, strlen(tar), &layer.layer.diff_id);
	assert_int_equal(store_blob_put(store, blob, strlen(blob), &layer.layer.blob.digest, NULL),
			 0);
	return layer;
}

static void write_spec(struct fixture *f, const struct image_spec *spec, const char *name)
{
	CLEANUP(store_batch_release) struct store_batch batch = {0};
	struct varve_descriptor manifest;
	struct varve_error err = {0};

	image_write(spec, name, &batch, &manifest);
	if (store_batch_write(&batch, f->store, &err) != 0)
		fail_msg("%s", err.text);
}

static void write_image(struct fixture *f, const char *name, const char *tar)
{
	const struct image_layer layers[] = {
		put_layer(f->store, "base"), {.created_by = "run true"}, put_layer(f->store, tar)};
	const struct image_spec spec = {
		.platform = "linux/amd64", .layers = layers, .layer_count = 3, .epoch = 5};
	write_spec(f, &spec, name);
}

static int export_names(struct fixture *f, const char *target_text, const char *a, const char *b,
			struct varve_error *err)
{
	CLEANUP(image_release) struct image first = {0};
	CLEANUP(image_release) struct image second = {0};
	CLEANUP(image_target_release) struct image_target target = {0};
	struct image_export images[2] = {{&first, a}, {&second, b}};

	if (image_open(f->store, a, &first, err) != 0 ||
	    (b && image_open(f->store, b, &second, err) != 0))
		fail_msg("%s", err->text);
	assert_int_equal(image_target_parse(target_text, &target, err), 0);
	return image_export(f->store, images, b ? 2 : 1, &target, unpack, err);
}

static void export_to(struct fixture *f, const char *format, const char *a, const char *b)
{
	CLEANUP(buf_release) struct buf target = BUF_INIT;
	struct varve_error err = {0};
	const char *colon = strchr(format, ':');

	buf_add(&target, format, (size_t)(colon - format) + 1);
	buf_addf(&target, "%s/%s", f->scratch->path, colon + 1);
	if (export_names(f, target.data, a, b, &err) != 0)
		fail_msg("%s", err.text);
}

static json_t *read_json(const struct fixture *f, const char *name)
{
	json_t *document = NULL;

	assert_int_equal(json_read_file(f->scratch->fd, name, &document, NULL), 0);
	return document;
}

static const char *ref_name(const json_t *index, size_t i)
{
	const json_t *entry = json_array_get(json_object_get(index, "manifests"), i);

	return json_optional_string(json_object_get(entry, "annotations"),
				    "org.opencontainers.image.ref.name", "");
}

static uint64_t inode(const struct fixture *f, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(f->scratch->fd, name, &st, 0), 0);
	return st.st_ino;
}

static void reads_what_it_wrote(void **state)
{
	struct fixture *f = *state;
	CLEANUP(image_release) struct image image = {0};
	struct varve_digest diff_id;

	write_image(f, "hello:1", "top");
	assert_int_equal(image_open(f->store, "hello:1", &image, NULL), 0);
	assert_int_equal(image.layer_count, 2);
	digest_bytes("top", 3, &diff_id);
	assert_true(varve_digest_equal(&image.layers[1].diff_id, &diff_id));
	assert_int_equal(image.layers[1].blob.size, 4);
	assert_int_equal(image.layers[1].entry_count, 1);
}

static void writes_nothing_twice(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	write_image(f, "hello:1", "top");
	before = inode(f, "store/index.json");
	write_image(f, "hello:1", "top");
	assert_int_equal(inode(f, "store/index.json"), before);
}

static void refuses_broken_documents(void **state)
{
	static const struct {
		const char *bytes, *why;
	} cases[] = {
		{"[]", "no JSON object"},
		{"{}", "schemaVersion"},
		{"{\"schemaVersion\":1}", "schemaVersion is not 2"},
		{"{\"schemaVersion\":2.5}", "integers only"},
		{"{\"schemaVersion\":2,\"manifests\":[]}", "index of several"},
		{"{\"schemaVersion\":2,\"mediaType\":\"x/y\"}", "\"x/y\" is not"},
		{"{\"schemaVersion\":2,\"config\":7}", "config"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct varve_descriptor d = {.media_type = VARVE_MEDIA_MANIFEST,
					     .size = strlen(cases[i].bytes)};
		struct image image = {0};
		struct varve_error err = {0};

		assert_int_equal(store_blob_put(f->store, cases[i].bytes, d.size, &d.digest, NULL),
				 0);
		assert_int_equal(store_index_set(f->store, "bad", &d, NULL, NULL), 0);
		assert_true(image_open(f->store, "bad", &image, &err) < 0);
		if (!strstr(err.text, cases[i].why))
			fail_msg("%s: %s", cases[i].bytes, err.text);
		d.size++;
		assert_int_equal(store_index_set(f->store, "bad", &d, NULL, NULL), 0);
		assert_int_equal(image_open(f->store, "bad", &image, NULL), -VARVE_E_DIGEST);
	}
}

static void adds_to_a_layout(void **state)
{
	struct fixture *f = *state;
	CLEANUP(json_decrefp) json_t *one = NULL;
	CLEANUP(json_decrefp) json_t *two = NULL;
	CLEANUP(json_decrefp) json_t *replaced = NULL;

	write_image(f, "hello:1", "top");
	write_image(f, "other", "different");
	export_to(f, "oci:new/out", "hello:1", NULL);
	one = read_json(f, "new/out/index.json");
	assert_int_equal(json_array_size(json_object_get(one, "manifests")), 1);
	assert_string_equal(ref_name(one, 0), "hello:1");

	export_to(f, "oci:new/out:v2", "other", NULL);
	two = read_json(f, "new/out/index.json");
	assert_int_equal(json_array_size(json_object_get(two, "manifests")), 2);
	assert_string_equal(ref_name(two, 1), "v2");
	assert_true(json_equal(json_array_get(json_object_get(one, "manifests"), 0),
			       json_array_get(json_object_get(two, "manifests"), 0)));

	write_image(f, "hello:1", "newer");
	export_to(f, "oci:new/out", "hello:1", NULL);
	replaced = read_json(f, "new/out/index.json");
	assert_int_equal(json_array_size(json_object_get(replaced, "manifests")), 2);
	assert_string_equal(ref_name(replaced, 0), "hello:1");
	assert_false(json_equal(json_array_get(json_object_get(two, "manifests"), 0),
				json_array_get(json_object_get(replaced, "manifests"), 0)));
}

static void leaves_a_finished_layout_alone(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	write_image(f, "hello:1", "top");
	export_to(f, "oci:out", "hello:1", NULL);
	before = inode(f, "out/index.json");
	export_to(f, "oci:out", "hello:1", NULL);
	assert_int_equal(inode(f, "out/index.json"), before);
}

static void repairs_a_cut_blob(void **state)
{
	struct fixture *f = *state;
	struct image_layer layer = put_layer(f->store, "top");
	char hex[VARVE_DIGEST_HEX];
	CLEANUP(free_ptr) char *name = NULL;
	CLEANUP(free_ptr) char *bytes = NULL;

	varve_digest_hex(&layer.layer.blob.digest, hex);
	name = xasprintf("out/blobs/sha256/%s", hex);
	write_image(f, "hello:1", "top");
	export_to(f, "oci:out", "hello:1", NULL);
	assert_int_equal(unlinkat(f->scratch->fd, name, 0), 0);
	scratch_write(f->scratch, name, "Z");
	export_to(f, "oci:out", "hello:1", NULL);
	bytes = scratch_read(f->scratch, name);
	assert_string_equal(bytes, "Ztop");
}

static void refuses_wrong_places(void **state)
{
	struct fixture *f = *state;
	struct varve_error err = {0};
	CLEANUP(free_ptr) char *target = xasprintf("oci:%s", f->scratch->path);
	CLEANUP(free_ptr) char *own = xasprintf("oci:%s", store_path(f->store));
	CLEANUP(free_ptr) char *two = xasprintf("dir:%s/d", f->scratch->path);
	CLEANUP(free_ptr) char *named = xasprintf("oci:%s/d:x", f->scratch->path);

	write_image(f, "a", "top");
	write_image(f, "b", "other");
	assert_int_equal(export_names(f, target, "a", NULL, &err), -VARVE_E_USAGE);
	assert_non_null(strstr(err.text, "it is no image"));
	assert_int_equal(export_names(f, own, "a", NULL, &err), -VARVE_E_USAGE);
	assert_non_null(strstr(err.text, "the store itself"));
	assert_int_equal(export_names(f, two, "a", "b", &err), -VARVE_E_USAGE);
	assert_int_equal(export_names(f, named, "a", "b", &err), -VARVE_E_USAGE);
}

static void writes_a_directory(void **state)
{
	struct fixture *f = *state;
	CLEANUP(json_decrefp) json_t *manifest = NULL;
	CLEANUP(free_ptr) char *version = NULL;

	write_image(f, "hello:1", "top");
	export_to(f, "dir:d", "hello:1", NULL);
	manifest = read_json(f, "d/manifest.json");
	version = scratch_read(f->scratch, "d/version");
	assert_string_equal(version, "Directory Transport Version: 1.1\n");
	assert_int_equal(json_array_size(json_object_get(manifest, "layers")), 2);
}

static void archives_are_equal(void **state)
{
	static const char *const targets[][2] = {
		{"oci-archive:a.tar", "oci-archive:sub/b.tar"},
		{"docker-archive:a.tar", "docker-archive:sub/b.tar"},
	};
	struct fixture *f = *state;

	write_image(f, "hello:1", "top");
	write_image(f, "other", "different");
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		CLEANUP(buf_release) struct buf a = BUF_INIT;
		CLEANUP(buf_release) struct buf b = BUF_INIT;

		export_to(f, targets[i][0], "hello:1", "other");
		export_to(f, targets[i][1], "hello:1", "other");
		assert_int_equal(fd_read_file(f->scratch->fd, "a.tar", 1 << 20, &a, NULL), 0);
		assert_int_equal(fd_read_file(f->scratch->fd, "sub/b.tar", 1 << 20, &b, NULL), 0);
		assert_int_equal(a.len, b.len);
		assert_int_equal(a.len % 512, 0);
		assert_memory_equal(a.data, b.data, a.len);
	}
}

/* Finds a member by the ustar rules this test knows: name at 0, size in octal at 124. */
static const char *find_member(const struct buf *tar, const char *name, size_t *ret_size)
{
	size_t at = 0;

	while (at + 512 <= tar->len && tar->data[at]) {
		size_t size = strtoul(tar->data + at + 124, NULL, 8);

		if (strcmp(tar->data + at, name) == 0) {
			*ret_size = size;
			return tar->data + at + 512;
		}
		at += 512 + (size + 511) / 512 * 512;
	}
	return NULL;
}

static void docker_archives_hold_tars(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_release) struct buf tar = BUF_INIT;
	CLEANUP(json_decrefp) json_t *manifest = NULL;
	const json_t *entry;
	const char *bytes;
	size_t size = 0;

	write_image(f, "hello", "top");
	write_image(f, "other:1", "different");
	export_to(f, "docker-archive:a.tar", "hello", "other:1");
	assert_int_equal(fd_read_file(f->scratch->fd, "a.tar", 1 << 20, &tar, NULL), 0);
	bytes = find_member(&tar, "manifest.json", &size);
	assert_non_null(bytes);
	assert_int_equal(json_parse(bytes, size, "manifest.json", &manifest, NULL), 0);
	assert_int_equal(json_array_size(manifest), 2);
	entry = json_array_get(manifest, 0);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(entry, "RepoTags"), 0)),
		"hello:latest");
	entry = json_array_get(json_object_get(entry, "Layers"), 1);
	bytes = find_member(&tar, json_string_value(entry), &size);
	assert_non_null(bytes);
	assert_int_equal(size, 3);
	assert_memory_equal(bytes, "top", 3);
}

static void failed_archives_leave_nothing(void **state)
{
	struct fixture *f = *state;
	struct varve_error err = {0};
	CLEANUP(free_ptr) char *target = xasprintf("docker-archive:%s/x/a.tar", f->scratch->path);
	struct image_layer layer = put_layer(f->store, "right");
	const struct image_spec spec = {
		.platform = "linux/amd64", .layers = &layer, .layer_count = 1};

	digest_bytes("wrong", 5, &layer.layer.diff_id);
	write_spec(f, &spec, "bad");
	assert_int_equal(export_names(f, target, "bad", NULL, &err), -VARVE_E_DIGEST);
	assert_int_equal(unlinkat(f->scratch->fd, "x", AT_REMOVEDIR), 0);
}

/* The pax record that such a size needs makes the header longer than the one written first. */
static void huge_members_start_again(void **state)
{
	struct fixture *f = *state;
	CLEANUP(image_tar_abort) struct image_tar tar = IMAGE_TAR_INIT;
	CLEANUP(free_ptr) char *path = path_join(f->scratch->path, "big.tar");
	const off_t size = (off_t)8 << 30;
	char header[1536] = "";

	assert_int_equal(image_tar_begin(path, &tar, NULL), 0);
	assert_int_equal(image_tar_start(&tar, "big", 0, NULL), 0);
	assert_true(lseek(image_tar_fd(&tar), size, SEEK_CUR) > 0);
	assert_int_equal(image_tar_end(&tar, (uint64_t)size, NULL), IMAGE_TAR_AGAIN);
	assert_int_equal(lseek(image_tar_fd(&tar), 0, SEEK_CUR), 0);
	assert_int_equal(image_tar_start(&tar, "big", tar.size, NULL), 0);
	assert_true(lseek(image_tar_fd(&tar), size, SEEK_CUR) > 0);
	assert_int_equal(image_tar_end(&tar, (uint64_t)size, NULL), 0);
	assert_int_equal(pread(image_tar_fd(&tar), header, sizeof(header), 0), sizeof(header));
	assert_string_equal(header + 512, "19 size=8589934592\n");
	assert_string_equal(header + 1024, "big");
}

static void prints_images(void **state)
{
	struct fixture *f = *state;
	CLEANUP(image_release) struct image image = {0};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *json = NULL;

	write_image(f, "hello:1", "top");
	assert_int_equal(image_open(f->store, "hello:1", &image, NULL), 0);
	image_print(&image, "hello\x1b:1", &text);
	assert_non_null(strstr(text.data, "hello?:1\n"));
	assert_non_null(strstr(text.data, "  platform  linux/amd64\n"));
	assert_non_null(strstr(text.data, "  created   1970-01-01T00:00:05Z\n"));
	assert_non_null(strstr(text.data, "  size      9 B in 2 layers\n"));
	assert_non_null(strstr(text.data, "  -                         run true\n"));
	json = image_inspect_json(&image, "hello:1");
	assert_string_equal(json_optional_string(json, "platform", ""), "linux/amd64");
	assert_int_equal(json_array_size(json_object_get(json, "layers")), 2);
	assert_int_equal(json_array_size(json_object_get(json, "history")), 3);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(reads_what_it_wrote),
		STORE_TEST(writes_nothing_twice),
		STORE_TEST(refuses_broken_documents),
		STORE_TEST(adds_to_a_layout),
		STORE_TEST(leaves_a_finished_layout_alone),
		STORE_TEST(repairs_a_cut_blob),
		STORE_TEST(refuses_wrong_places),
		STORE_TEST(writes_a_directory),
		STORE_TEST(archives_are_equal),
		STORE_TEST(docker_archives_hold_tars),
		STORE_TEST(failed_archives_leave_nothing),
		STORE_TEST(huge_members_start_again),
		STORE_TEST(prints_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
