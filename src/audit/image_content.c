/* SPDX-License-Identifier: Apache-2.0
 * Reading the layers' blobs, entry by entry. */
#include "audit/image_content.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "layer/layer_stream.h"
#include "layer/layer_tar_read.h"

enum { ENTRY_MAXIMUM = 8000000, TEXT_MAXIMUM = 64 << 20 };

void content_file_release(struct content_file *file)
{
	free(file->path);
	free(file->link);
	free(file->text);
	*file = (struct content_file){0};
}

void image_content_release(struct image_content *content)
{
	for (size_t i = 0; i < content->count; i++)
		content_file_release(&content->items[i]);
	free(content->items);
	*content = (struct image_content){0};
}

bool image_content_keeps(const char *path)
{
	static const char *const patterns[] = {
		"var/lib/dpkg/status",  "var/lib/dpkg/status.d/*",  "var/lib/dpkg/info/*.list",
		"lib/apk/db/installed", "usr/lib/apk/db/installed", "etc/os-release",
		"usr/lib/os-release",   "usr/share/doc/*/copyright"};
	static const char *const ends[] = {".dist-info/METADATA", ".dist-info/RECORD",
					   ".egg-info/PKG-INFO", ".egg-info"};

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		if (fnmatch(patterns[i], path, FNM_PATHNAME) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (str_ends(path, ends[i]))
			return true;
	return false;
}

/* One layer being read. */
struct reading {
	struct image_content *files;
	struct tar_reader *reader;
	bool hash;
	unsigned layer;
	struct hasher *sha256, *sha1;
	uint64_t kept; /* bytes of texts */
};

static int read_data(struct reading *reading, struct content_file *file, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	bool keep = image_content_keeps(file->path);
	const void *data;
	ssize_t n;

	if (!keep && !reading->hash)
		return 0; /* the reader skips it */
	while ((n = tar_reader_data(reading->reader, &data, err)) > 0) {
		if (reading->hash) {
			hasher_update(reading->sha256, data, (size_t)n);
			hasher_update(reading->sha1, data, (size_t)n);
		}
		reading->kept += keep ? (uint64_t)n : 0;
		if (reading->kept > TEXT_MAXIMUM)
			return varve_error_set(err, -VARVE_E_LIMIT,
					       "package databases of more than %d bytes",
					       TEXT_MAXIMUM);
		if (keep)
			buf_add(&text, data, (size_t)n);
	}
	if (n < 0)
		return (int)n;
	if (reading->hash) {
		hasher_final(reading->sha256, &file->sha256);
		hasher_final_sha1(reading->sha1, file->sha1);
	}
	file->text = keep ? buf_steal(&text) : NULL;
	return 0;
}

static int add_item(struct reading *reading, const struct tar_item *item, struct varve_error *err)
{
	struct image_content *files = reading->files;
	char *path = path_clean(item->path);
	struct content_file *file;

	if (!path || *path == '\0') {
		free(path);
		return 0; /* the root; names that lead out are for varve verify */
	}
	files->items = array_grow(files->items, files->count, &files->alloc, sizeof(*files->items));
	file = &files->items[files->count];
	*file = (struct content_file){.path = path,
				      .order = (unsigned)files->count++,
				      .link = xstrdup(item->link ? item->link : ""),
				      .type = (char)item->type,
				      .layer = reading->layer,
				      .size = item->size};
	return item->type == TAR_FILE ? read_data(reading, file, err) : 0;
}

static int read_items(struct reading *reading, struct varve_digest *ret_diff_id,
		      struct varve_error *err)
{
	struct tar_item item;
	uint64_t size;
	int r;

	while ((r = tar_reader_next(reading->reader, &item, err)) > 0) {
		if (reading->files->count == ENTRY_MAXIMUM)
			return varve_error_set(err, -VARVE_E_LIMIT,
					       "a layer of more than %d entries", ENTRY_MAXIMUM);
		r = add_item(reading, &item, err);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : tar_reader_finish(reading->reader, ret_diff_id, &size, err);
}

static ssize_t read_stream(void *cookie, void *data, size_t len, struct varve_error *err)
{
	return layer_stream_read(cookie, data, len, err);
}

static int read_layer(const struct image_side *side, struct reading *reading,
		      struct varve_error *err)
{
	const struct varve_descriptor *blob = &side->manifest.children[reading->layer + 1];
	CLEANUP(layer_stream_freep) struct layer_stream *stream = NULL;
	CLEANUP(fd_close) int fd = place_open(side->place, blob, err);
	struct varve_digest diff_id;
	int r = fd < 0 ? fd : layer_stream_new(fd, blob, &stream, err);

	if (r < 0)
		return r;
	reading->reader = tar_reader_new(read_stream, stream);
	r = layer_stream_finish(stream, read_items(reading, &diff_id, err), err);
	tar_reader_freep(&reading->reader);
	if (r == 0 && !varve_digest_equal(&diff_id, &side->diff_ids[reading->layer]))
		return varve_error_set(err, -VARVE_E_DIGEST,
				       "its tar has another digest than the config says");
	return r;
}

int image_content_read(const struct image_side *side, bool hash, struct image_content *ret,
		       struct varve_error *err)
{
	CLEANUP(image_content_release) struct image_content all = {0};
	CLEANUP(hasher_freep) struct hasher *sha256 = hasher_new();
	CLEANUP(hasher_freep) struct hasher *sha1 = hasher_new_sha1();

	for (unsigned i = 0; i < side->layer_count; i++) {
		CLEANUP(image_content_release) struct image_content layer = {0};
		struct reading reading = {
			.files = &layer, .hash = hash, .layer = i, .sha256 = sha256, .sha1 = sha1};
		int r = read_layer(side, &reading, err);

		if (r < 0) {
			varve_error_prefix(err, "%.300s: layer %u", side->name, i + 1);
			return r;
		}
		image_content_lay(&all, &layer);
	}
	*ret = all;
	all = (struct image_content){0};
	return 0;
}
