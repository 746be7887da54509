/* SPDX-License-Identifier: Apache-2.0 */
#include "source/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/strv.h"
#include "image/image_index.h"
#include "layer/layer.h"
#include "store/store.h"

/* --- opening -----------------------------------------------------------------------------------
 */

/* The only manifest of index.json. */
static int find_manifest(const struct layout *layout, struct varve_descriptor *ret,
			 struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *index = NULL;
	json_t *manifests = NULL;
	int r = layout_read(layout, "oci-layout", LAYOUT_DOCUMENT_LIMIT, &text, err);

	buf_reset(&text);
	if (r == 0)
		r = layout_read(layout, "index.json", LAYOUT_DOCUMENT_LIMIT, &text, err);
	if (r == 0)
		r = json_parse(buf_text(&text), text.len, "index.json", &index, err);
	if (r == 0)
		r = image_index_check(index, err);
	if (r == 0)
		r = json_get_array(index, "manifests", &manifests, err);
	if (r < 0)
		return r;
	if (json_array_size(manifests) != 1)
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "%s: a bundle has one manifest, here are %zu", layout->path,
				       json_array_size(manifests));
	return descriptor_from_json(json_array_get(manifests, 0), ret, err);
}

static int read_document(const struct layout *layout, const struct varve_descriptor *at,
			 json_t **ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char name[LAYOUT_BLOB];
	int r = layout_verify(layout, layout_blob(&at->digest, name), at, err);

	if (r == 0)
		r = layout_read(layout, name, LAYOUT_DOCUMENT_LIMIT, &text, err);
	if (r == 0)
		r = json_parse(buf_text(&text), text.len, name, ret, err);
	if (r == 0 && (!json_is_object(*ret) || json_has_real(*ret)))
		r = varve_error_set(err, -VARVE_E_FORMAT, "%s is no JSON object with integers only",
				    name);
	return r;
}

int bundle_open(const struct layout *layout, struct bundle *ret, struct varve_error *err)
{
	CLEANUP(bundle_release) struct bundle bundle = {0};
	CLEANUP(json_decrefp) json_t *manifest = NULL;
	int r = find_manifest(layout, &bundle.manifest, err);

	if (r == 0)
		r = read_document(layout, &bundle.manifest, &manifest, err);
	if (r < 0)
		return r;
	r = bundle_manifest_parse(manifest, &bundle, err);
	if (r == 0)
		r = read_document(layout, &bundle.config_descriptor, &bundle.config, err);
	if (r == 0)
		r = bundle_config_check(bundle.config, err);
	if (r < 0) {
		varve_error_prefix(err, "%s", layout->path);
		return r;
	}
	*ret = bundle;
	bundle = (struct bundle){0};
	return 0;
}

/* --- importing ---------------------------------------------------------------------------------
 */

static bool is_of_cache(const struct varve_descriptor *blob)
{
	return !str_equal(blob->media_type, VARVE_BUNDLE_INPUTS) &&
	       !str_equal(blob->media_type, VARVE_BUNDLE_ARTIFACT);
}

/* The paths that the layout of a bundle has, sorted. */
static void list_expected(const struct bundle *bundle, struct strv *ret)
{
	static const char *const places[] = {"oci-layout", "index.json", "blobs", "blobs/sha256"};
	char name[LAYOUT_BLOB];

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		strv_add(ret, places[i]);
	strv_add(ret, layout_blob(&bundle->manifest.digest, name));
	strv_add(ret, layout_blob(&bundle->config_descriptor.digest, name));
	for (size_t i = 0; i < bundle->count; i++)
		strv_add(ret, layout_blob(&bundle->blobs[i].descriptor.digest, name));
	strv_sort(ret);
}

static int refuse_extra(const struct layout *layout, const struct bundle *bundle,
			struct varve_error *err)
{
	CLEANUP(strv_release) struct strv paths = STRV_INIT;
	CLEANUP(strv_release) struct strv expected = STRV_INIT;
	int r = layout_list(layout, &paths, err);
	size_t at = 0;

	list_expected(bundle, &expected);
	for (size_t i = 0; i < paths.count && r == 0; i++) {
		while (at < expected.count && strcmp(expected.items[at], paths.items[i]) < 0)
			at++;
		if (at == expected.count || !str_equal(expected.items[at], paths.items[i]))
			r = varve_error_set(err, -VARVE_E_FORMAT,
					    "%s has a file that the bundle does not list: %s",
					    layout->path, paths.items[i]);
	}
	return r;
}

static int import_blob(const struct layout *layout, const struct bundle_blob *blob,
		       struct varve_store *store, bool into, struct varve_error *err)
{
	struct varve_descriptor got;
	char name[LAYOUT_BLOB];
	int r;

	layout_blob(&blob->descriptor.digest, name);
	if (!into || varve_store_has_blob(store, &blob->descriptor.digest, NULL))
		r = layout_verify(layout, name, &blob->descriptor, err);
	else
		r = layout_import(layout, name, store, &blob->descriptor.digest, &got, err);
	if (r < 0)
		varve_error_prefix(err, "%s", blob->title);
	return r;
}

/* Layers are there by now. */
static int import_record(const struct bundle_blob *blob, struct varve_store *store,
			 struct varve_error *err)
{
	CLEANUP(store_record_release) struct store_record record = {0};
	CLEANUP(json_decrefp) json_t *object = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = store_blob_read(store, &blob->descriptor.digest, JSON_LIMIT, &text, err);

	if (r < 0)
		return r;
	r = json_parse(buf_text(&text), text.len, blob->title, &object, err);
	if (r == 0)
		r = store_record_from_json(object, &record);
	if (r < 0)
		return varve_error_set(err, r, "%s is no record", blob->title);
	for (size_t i = 0; i < record.layers.count; i++)
		if (!varve_store_has_blob(store, &record.layers.items[i].blob.digest, NULL))
			return varve_error_set(err, -VARVE_E_FORMAT, "the layer of %s is missing",
					       blob->title);
	return store_record_write(store, &record, err);
}

int bundle_import(const struct layout *layout, const struct bundle *bundle,
		  struct varve_store *store, bool records, struct varve_error *err)
{
	int r = refuse_extra(layout, bundle, err);

	for (size_t i = 0; i < bundle->count && r == 0; i++)
		r = import_blob(layout, &bundle->blobs[i], store,
				records || !is_of_cache(&bundle->blobs[i].descriptor), err);
	for (size_t i = 0; records && i < bundle->count && r == 0; i++)
		if (str_equal(bundle->blobs[i].descriptor.media_type, VARVE_BUNDLE_RECORD))
			r = import_record(&bundle->blobs[i], store, err);
	return r;
}

/* --- the recipe --------------------------------------------------------------------------------
 */

static const struct bundle_blob *find_inputs(const struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->count; i++)
		if (str_equal(bundle->blobs[i].descriptor.media_type, VARVE_BUNDLE_INPUTS))
			return &bundle->blobs[i];
	return NULL;
}

static int make_empty(const char *path, int *ret, struct varve_error *err)
{
	int r;

	/* An empty one is no loss. */
	if (rmdir(path) < 0 && errno != ENOENT)
		return varve_error_set(err, errno == EEXIST ? -ENOTEMPTY : -errno,
				       "a directory of its own is needed");
	r = fd_mkdir_p(AT_FDCWD, path, 0755);
	if (r < 0)
		return varve_error_set(err, r, "make the directory");
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? varve_error_set(err, -errno, "open the directory") : 0;
}

int bundle_unpack(const struct bundle *bundle, struct varve_store *store, const char *path,
		  struct varve_error *err)
{
	const struct bundle_blob *inputs = find_inputs(bundle);
	CLEANUP(fd_close) int directory = -1;
	CLEANUP(fd_close) int archive = -1;
	int r;

	if (!inputs)
		return varve_error_set(err, -VARVE_E_FORMAT, "the bundle has no recipe");
	r = make_empty(path, &directory, err);
	if (r == 0)
		r = varve_store_open_blob(store, &inputs->descriptor.digest, &archive, err);
	if (r == 0)
		r = layer_unpack_archive(archive, directory, 0, err);
	if (r < 0)
		varve_error_prefix(err, "unpack the recipe to %s", path);
	return r;
}
