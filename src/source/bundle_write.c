/* SPDX-License-Identifier: Apache-2.0 */
#include "source/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/fd.h"
#include "base/index.h"
#include "image/image_document.h"
#include "image/image_index.h"
#include "image/image_place.h"
#include "image/image_tar.h"
#include "store/store.h"

void bundle_add(struct bundle *bundle, const struct varve_descriptor *blob, const char *title)
{
	for (size_t i = 0; i < bundle->count; i++)
		if (varve_digest_equal(&bundle->blobs[i].descriptor.digest, &blob->digest))
			return;
	bundle->blobs =
		array_grow(bundle->blobs, bundle->count, &bundle->alloc, sizeof(*bundle->blobs));
	bundle->blobs[bundle->count++] = (struct bundle_blob){*blob, xstrdup(title)};
}

/* In the order of the manifest: inputs, artifacts, layers, records. */
static int rank(const struct varve_descriptor *blob)
{
	static const char *const order[] = {VARVE_BUNDLE_INPUTS, VARVE_BUNDLE_ARTIFACT};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (str_equal(blob->media_type, order[i]))
			return (int)i;
	return str_equal(blob->media_type, VARVE_BUNDLE_RECORD) ? 3 : 2;
}

static int compare_ranks(const void *a, const void *b)
{
	const struct bundle_blob *left = a, *right = b;
	int r = rank(&left->descriptor) - rank(&right->descriptor);

	return r ? r : varve_digest_compare(&left->descriptor.digest, &right->descriptor.digest);
}

static int put_document(struct varve_store *store, const json_t *document, const char *media_type,
			struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_canonical(document, &text);
	if (text.len > LAYOUT_DOCUMENT_LIMIT)
		return varve_error_set(err, -VARVE_E_LIMIT, "the bundle names too many files");
	(void)snprintf(ret->media_type, sizeof(ret->media_type), "%s", media_type);
	ret->size = text.len;
	return store_blob_put(store, buf_text(&text), text.len, &ret->digest, err);
}

static int put_documents(struct bundle *bundle, struct varve_store *store, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *manifest = NULL;
	int r = put_document(store, bundle->config, VARVE_BUNDLE_CONFIG, &bundle->config_descriptor,
			     err);

	if (r < 0)
		return r;
	manifest = bundle_manifest_json(bundle);
	return put_document(store, manifest, VARVE_MEDIA_MANIFEST, &bundle->manifest, err);
}

static void index_text(const struct bundle *bundle, struct buf *out)
{
	CLEANUP(json_decrefp) json_t *index = index_new();
	json_t *entry = descriptor_to_json(&bundle->manifest), *annotations = json_object();

	json_set(annotations, INDEX_REF_NAME,
		 json_text(json_optional_string(bundle->config, "name", "bundle")));
	json_set(entry, "annotations", annotations);
	json_set(entry, "artifactType", json_text(VARVE_BUNDLE));
	json_append(json_object_get(index, "manifests"), entry);
	json_canonical(index, out);
}

/* All blobs of the layout by digest, each once. Caller frees. */
static size_t all_blobs(const struct bundle *bundle, const struct varve_descriptor ***ret)
{
	const struct varve_descriptor **list =
		xcalloc(bundle->count + 2, sizeof(const struct varve_descriptor *));
	size_t count = 0;

	list[count++] = &bundle->manifest;
	list[count++] = &bundle->config_descriptor;
	for (size_t i = 0; i < bundle->count; i++)
		list[count++] = &bundle->blobs[i].descriptor;
	*ret = list;
	return count;
}

static int compare_digests(const void *a, const void *b)
{
	const struct varve_descriptor *const *left = a, *const *right = b;

	return varve_digest_compare(&(*left)->digest, &(*right)->digest);
}

/* --- a file ------------------------------------------------------------------------------------
 */

static int add_blob(struct image_tar *tar, struct varve_store *store,
		    const struct varve_descriptor *blob, struct varve_error *err)
{
	CLEANUP(fd_close) int fd = -1;
	char name[LAYOUT_BLOB];
	int r = varve_store_open_blob(store, &blob->digest, &fd, err);

	return r < 0 ? r
		     : image_tar_file(tar, layout_blob(&blob->digest, name), fd, blob->size, err);
}

static int write_archive(const struct bundle *bundle, struct varve_store *store, const char *path,
			 struct varve_error *err)
{
	CLEANUP(image_tar_abort) struct image_tar tar = IMAGE_TAR_INIT;
	CLEANUP(free_ptr) const struct varve_descriptor **blobs = NULL;
	CLEANUP(buf_release) struct buf layout = BUF_INIT;
	CLEANUP(buf_release) struct buf index = BUF_INIT;
	size_t count = all_blobs(bundle, &blobs);
	int r = image_tar_begin(path, &tar, err);

	qsort(blobs, count, sizeof(const struct varve_descriptor *), compare_digests);
	buf_addstr(&layout, IMAGE_LAYOUT_FILE);
	index_text(bundle, &index);
	if (r == 0)
		r = image_tar_text(&tar, "oci-layout", &layout, err);
	if (r == 0)
		r = image_tar_text(&tar, "index.json", &index, err);
	if (r == 0)
		r = image_tar_directory(&tar, "blobs", err);
	if (r == 0)
		r = image_tar_directory(&tar, "blobs/sha256", err);
	for (size_t i = 0; i < count && r == 0; i++)
		r = add_blob(&tar, store, blobs[i], err);
	return r < 0 ? r : image_tar_commit(&tar, err);
}

/* --- a directory -------------------------------------------------------------------------------
 */

static int place_blobs(const struct bundle *bundle, struct varve_store *store, int top,
		       struct varve_error *err)
{
	CLEANUP(free_ptr) const struct varve_descriptor **blobs = NULL;
	size_t count = all_blobs(bundle, &blobs);
	CLEANUP(fd_close) int directory = -1;
	bool no_reflinks = false;
	int r = fd_mkdir_p(top, "blobs/sha256", 0755);

	if (r < 0)
		return varve_error_set(err, r, "make blobs/sha256");
	directory = openat(top, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return varve_error_set(err, -errno, "open blobs/sha256");
	for (size_t i = 0; i < count && r == 0; i++)
		r = image_place_blob(store, blobs[i], directory, &no_reflinks, err);
	return r < 0 ? r : image_place_sync(directory, err);
}

/* index.json comes last: without it there is no bundle yet. */
static int write_directory(const struct bundle *bundle, struct varve_store *store, const char *path,
			   struct varve_error *err)
{
	CLEANUP(buf_release) struct buf index = BUF_INIT;
	CLEANUP(image_place_close) struct image_place top = IMAGE_PLACE_INIT;
	int r = image_place_open(path, "index.json", &top, err);

	if (r < 0)
		return r;
	if (faccessat(top.fd, "index.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "the directory is a layout already; choose another or an "
				       "empty one");
	r = image_place_text(top.fd, "oci-layout", IMAGE_LAYOUT_FILE, err);
	if (r == 0)
		r = place_blobs(bundle, store, top.fd, err);
	index_text(bundle, &index);
	return r < 0 ? r : image_place_text(top.fd, "index.json", buf_text(&index), err);
}

int bundle_write(struct bundle *bundle, struct varve_store *store,
		 const struct image_target *target, struct varve_error *err)
{
	int r;

	if (bundle->count > 1)
		qsort(bundle->blobs, bundle->count, sizeof(*bundle->blobs), compare_ranks);
	r = put_documents(bundle, store, err);
	if (r == 0)
		r = target->transport == IMAGE_OCI
			    ? write_directory(bundle, store, target->path, err)
			    : write_archive(bundle, store, target->path, err);
	if (r < 0)
		varve_error_prefix(err, "bundle %s", target->path);
	return r;
}
