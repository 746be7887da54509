/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/fd.h"
#include "image/image_document.h"
#include "image/image_index.h"
#include "store/store.h"

enum { READ_SIZE = 64 << 10 };

/* --- dir: ----------------------------------------------------------------------------------------
 */

static int take_blob(struct varve_store *store, int dirfd, const struct varve_descriptor *blob,
		     struct varve_error *err)
{
	CLEANUP(store_blob_abort) struct store_blob_writer w = {0};
	CLEANUP(fd_close) int fd = -1;
	char hex[VARVE_DIGEST_HEX];
	char data[READ_SIZE];
	uint64_t size;
	ssize_t n;
	int r;

	if (varve_store_has_blob(store, &blob->digest, &size) && size == blob->size)
		return 0;
	fd = openat(dirfd, varve_digest_hex(&blob->digest, hex), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return varve_error_set(err, -errno, "open blob %s", hex);
	r = store_blob_begin(store, &w, err);
	if (r < 0)
		return r;
	while ((n = fd_read_full(fd, data, sizeof(data))) > 0 &&
	       sink_write(&w.sink, data, (size_t)n) == 0)
		;
	if (n < 0)
		return varve_error_set(err, (int)n, "read blob %s", hex);
	return store_blob_commit(&w, &blob->digest, NULL, err);
}

static int take_children(struct varve_store *store, int dirfd, const json_t *manifest,
			 struct varve_error *err)
{
	struct varve_descriptor blob;
	json_t *config = NULL, *layers = NULL, *layer;
	size_t i;
	int r = json_get_object(manifest, "config", &config, err);

	if (r == 0)
		r = json_get_array(manifest, "layers", &layers, err);
	if (r == 0)
		r = descriptor_from_json(config, &blob, err);
	if (r == 0)
		r = take_blob(store, dirfd, &blob, err);
	if (r < 0)
		return r;
	json_array_foreach(layers, i, layer)
	{
		if (r == 0)
			r = descriptor_from_json(layer, &blob, err);
		if (r == 0)
			r = take_blob(store, dirfd, &blob, err);
	}
	return r;
}

static int import_dir(struct varve_store *store, const char *path, struct varve_descriptor *ret,
		      struct varve_error *err)
{
	CLEANUP(fd_close) int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(json_decrefp) json_t *manifest = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r;

	if (dirfd < 0)
		return varve_error_set(err, -errno, "open %.300s", path);
	r = fd_read_file(dirfd, "manifest.json", IMAGE_MANIFEST_LIMIT, &text, err);
	if (r >= 0)
		r = json_parse(buf_text(&text), text.len, "manifest.json", &manifest, err);
	if (r >= 0)
		r = take_children(store, dirfd, manifest, err);
	if (r < 0)
		return r;
	(void)snprintf(ret->media_type, sizeof(ret->media_type), "%s",
		       json_optional_string(manifest, "mediaType", VARVE_MEDIA_MANIFEST));
	ret->size = text.len;
	return store_blob_put(store, text.data, text.len, &ret->digest, err);
}

/* --- archives ------------------------------------------------------------------------------------
 */

static int import_archive(struct varve_store *store, const struct image_target *from,
			  struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(image_members_release) struct image_members members = {0};
	CLEANUP(json_decrefp) json_t *index = NULL;
	int r = image_members_read(store, from->path, &members, err);

	if (r < 0)
		return r;
	if (from->transport == IMAGE_DOCKER_ARCHIVE)
		return image_import_docker(store, &members, from->name, ret, err);
	r = image_members_json(store, &members, "index.json", &index, err);
	if (r == 0)
		r = image_index_check(index, err);
	return r < 0 ? r : image_index_find(index, from->name, ret, err);
}

int image_import(struct varve_store *store, const struct image_target *from,
		 struct varve_descriptor *ret, struct varve_error *err)
{
	int r = from->transport == IMAGE_DIR ? import_dir(store, from->path, ret, err)
					     : import_archive(store, from, ret, err);

	if (r < 0)
		varve_error_prefix(err, "import %.300s", from->path);
	return r;
}
