/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/layer_files.h"

#include <stdlib.h>
#include <string.h>
#include "audit/xattrs_text.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/path.h"
#include "layer/layer_stream.h"
#include "layer/layer_tar_read.h"

enum { ENTRY_MAX = 8000000 };

void layer_files_release(struct layer_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].path);
		free(files->items[i].link);
		free(files->items[i].xattrs);
	}
	free(files->items);
	*files = (struct layer_files){0};
}

static ssize_t read_stream(void *cookie, void *data, size_t len, struct varve_error *err)
{
	return layer_stream_read(cookie, data, len, err);
}

static bool has_capabilities(const struct layer_xattrs *xattrs)
{
	for (size_t i = 0; i < xattrs->count; i++)
		if (str_equal(xattrs->items[i].name, "security.capability"))
			return true;
	return false;
}

static int read_data(struct tar_reader *reader, struct layer_file *file, struct varve_error *err)
{
	CLEANUP(hasher_freep) struct hasher *content = hasher_new();
	size_t have = 0;
	const void *data;
	ssize_t n;

	file->text = true;
	while ((n = tar_reader_data(reader, &data, err)) > 0) {
		size_t len = (size_t)n, head = LAYER_FILE_HEAD - have;

		head = head < len ? head : len;
		memcpy(file->head + have, data, head);
		have += head;
		file->text = file->text && !memchr(data, 0, len);
		hasher_update(content, data, len);
	}
	if (n < 0)
		return (int)n;
	hasher_final(content, &file->content);
	return 0;
}

static int add_item(struct layer_files *files, struct tar_reader *reader,
		    const struct tar_item *item, struct varve_error *err)
{
	struct layer_file *file;
	char *path = path_clean(item->path);

	files->items = array_grow(files->items, files->count, &files->alloc, sizeof(*files->items));
	file = &files->items[files->count];
	*file = (struct layer_file){
		.path = path ? path : xstrdup(item->path),
		.link = xstrdup(item->link ? item->link : ""),
		.xattrs = item->xattrs ? xattrs_text(item->xattrs) : xstrdup(""),
		.type = (char)item->type,
		.mode = item->mode & 07777,
		.uid = item->uid,
		.gid = item->gid,
		.size = item->size,
		.major = item->major,
		.minor = item->minor,
		.mtime = item->mtime.tv_sec,
		.nanoseconds = item->mtime.tv_nsec,
		.oddity = item->path[0] == '/' ? "an absolute name" : item->oddity,
		.order = files->count};
	files->count++;
	file->capable = item->xattrs && has_capabilities(item->xattrs);
	return item->type == TAR_FILE ? read_data(reader, file, err) : 0;
}

static int by_path(const void *left, const void *right)
{
	const struct layer_file *a = left, *b = right;
	int r = strcmp(a->path, b->path);

	if (r != 0)
		return r;
	return a->order < b->order ? -1 : a->order > b->order;
}

const struct layer_file *layer_files_find(const struct layer_files *files, const char *path)
{
	size_t low = 0, high = files->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(files->items[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < files->count && str_equal(files->items[low].path, path) ? &files->items[low]
									     : NULL;
}

static int read_items(struct layer_files *files, struct tar_reader *reader, struct varve_error *err)
{
	struct tar_item item;
	uint64_t size;
	int r;

	while ((r = tar_reader_next(reader, &item, err)) > 0) {
		if (files->count == ENTRY_MAX)
			return varve_error_set(err, -VARVE_E_LIMIT,
					       "a layer of more than %d entries", ENTRY_MAX);
		r = add_item(files, reader, &item, err);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = tar_reader_finish(reader, &files->diff_id, &size, err);
	files->trailer = tar_reader_has_trailer(reader);
	if (r == 0 && files->count > 1)
		qsort(files->items, files->count, sizeof(*files->items), by_path);
	return r;
}

int layer_files_read(int fd, const struct varve_descriptor *blob, struct layer_files *ret,
		     struct varve_error *err)
{
	CLEANUP(layer_files_release) struct layer_files files = {0};
	CLEANUP(layer_stream_freep) struct layer_stream *stream = NULL;
	CLEANUP(tar_reader_freep) struct tar_reader *reader = NULL;
	int r = layer_stream_new(fd, blob, &stream, err);

	if (r < 0)
		return r;
	reader = tar_reader_new(read_stream, stream);
	r = layer_stream_finish(stream, read_items(&files, reader, err), err);
	if (r < 0)
		return r;
	*ret = files;
	files = (struct layer_files){0};
	return 0;
}
