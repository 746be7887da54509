/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "base/buf.h"
#include "base/capacity.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "layer/layer_ahead.h"
#include "layer/layer_place.h"
#include "layer/layer_place_files.h"
#include "layer/layer_stream.h"
#include "layer/layer_tar_read.h"
#include "layer/layer_walk.h"

enum {
	ENTRIES_MAX = 4000000,
	WORTH_THREADS = 1 << 20, /* bytes of a blob */
};
#define OPAQUE_MARK ".wh..wh..opq"

struct apply {
	struct layer_ahead *ahead;
	struct tar_reader *tar;
	struct layer_place *place;
	struct place_files *files;
	struct varve_error *err;
};

static void apply_release(struct apply *a)
{
	place_files_freep(&a->files);
	layer_place_freep(&a->place);
	tar_reader_freep(&a->tar);
	layer_ahead_freep(&a->ahead);
}

static int refuse(struct apply *a, const char *path, const char *why)
{
	return varve_error_set(a->err, -VARVE_E_FORMAT, "layer tar: \"%.200s\": %s", path, why);
}

/* A name of the archive as a clean path; "" for the root. */
static int clean(struct apply *a, const char *name, char **ret)
{
	CLEANUP(free_ptr) char *path = NULL;

	if (strlen(name) >= LAYER_PATH_MAX)
		return varve_error_set(a->err, -VARVE_E_LIMIT,
				       "layer tar: a name of more than %d bytes: %.100s...",
				       LAYER_PATH_MAX - 1, name);
	path = path_clean(name);
	if (!path)
		return refuse(a, name, "a name with \"..\"");
	*ret = steal_ptr(&path);
	return 0;
}

/* One of the small files that threads write. */
static int apply_small(struct apply *a, const char *path, int take_fd,
		       const struct place_attributes *attributes)
{
	CLEANUP(fd_close) int fd = take_fd;
	unsigned char *room = place_files_room(a->files);
	size_t len = 0;
	const void *data;
	ssize_t n;

	while ((n = tar_reader_data(a->tar, &data, a->err)) > 0) {
		memcpy(room + len, data, (size_t)n);
		len += (size_t)n;
	}
	if (n < 0)
		return (int)n;
	return place_files_add(a->files, steal_fd(&fd), path, len, attributes);
}

static int apply_large(struct apply *a, const char *path, int fd,
		       const struct place_attributes *attributes)
{
	const void *data;
	ssize_t n;

	while ((n = tar_reader_data(a->tar, &data, a->err)) > 0) {
		int r = fd_write_all(fd, data, (size_t)n);

		if (r < 0)
			return varve_error_set(a->err, r, "write %s", path);
	}
	if (n < 0)
		return (int)n;
	return layer_place_attributes(a->place, path, fd, attributes, a->err);
}

static int apply_file(struct apply *a, const struct tar_item *item, const char *path,
		      const struct place_attributes *attributes)
{
	CLEANUP(fd_close) int fd = -1;
	int r = layer_place_file(a->place, path, &fd, a->err);

	if (r < 0)
		return r;
	if (item->size <= PLACE_FILES_SIZE && item->xattrs->count == 0)
		return apply_small(a, path, steal_fd(&fd), attributes);
	return apply_large(a, path, fd, attributes);
}

static int apply_link(struct apply *a, const struct tar_item *item, const char *path)
{
	CLEANUP(free_ptr) char *target = NULL;
	int r = clean(a, item->link, &target);

	if (r < 0)
		return r;
	if (*target == '\0' || strncmp(path_base(target), ".wh.", 4) == 0)
		return refuse(a, path, "a hard link to something that cannot be linked to");
	return layer_place_link(a->place, path, target, a->err);
}

static int apply_symlink(struct apply *a, const struct tar_item *item, const char *path,
			 const struct place_attributes *attributes)
{
	if (*item->link == '\0' || strlen(item->link) >= LAYER_PATH_MAX)
		return refuse(a, path, "a symlink of no or too many bytes");
	return layer_place_symlink(a->place, path, item->link, attributes, a->err);
}

/* 0:0 would be a whiteout to overlayfs, and there is no such device. */
static int apply_device(struct apply *a, const struct tar_item *item, const char *path,
			const struct place_attributes *attributes)
{
	if (item->major > UINT32_MAX || item->minor > UINT32_MAX)
		return refuse(a, path, "a device of too large a number");
	if (item->major == 0 && item->minor == 0)
		return 0;
	return layer_place_device(a->place, path, item->type == TAR_CHARACTER ? S_IFCHR : S_IFBLK,
				  makedev((unsigned)item->major, (unsigned)item->minor), attributes,
				  a->err);
}

/* ".wh.NAME" hides NAME of the layers below; other ".wh..wh." names are notes of aufs to itself. */
static int apply_mark(struct apply *a, const char *path)
{
	size_t dir = path_dir_len(path);
	const char *name = path_base(path) + strlen(".wh.");
	CLEANUP(free_ptr) char *directory = xstrndup(path, dir);
	CLEANUP(free_ptr) char *hidden = path_join(directory, name);

	if (str_equal(path_base(path), OPAQUE_MARK))
		return layer_place_opaque(a->place, directory, a->err);
	if (str_starts(name, ".wh."))
		return 0;
	if (*name == '\0' || str_equal(name, ".") || str_equal(name, ".."))
		return refuse(a, path, "a whiteout of nothing");
	return layer_place_whiteout(a->place, hidden, a->err);
}

static int apply_at(struct apply *a, const struct tar_item *item, const char *path)
{
	const struct place_attributes attributes = {
		.owned = true,
		.uid = (uid_t)item->uid,
		.gid = (gid_t)item->gid,
		.mode = item->mode,
		.mtime = item->mtime,
		.xattrs = item->xattrs,
	};

	switch (item->type) {
	case TAR_FILE:
		return apply_file(a, item, path, &attributes);
	case TAR_LINK:
		return apply_link(a, item, path);
	case TAR_SYMLINK:
		return apply_symlink(a, item, path, &attributes);
	case TAR_DIRECTORY:
		return layer_place_directory(a->place, path, &attributes, a->err);
	case TAR_FIFO:
		return layer_place_fifo(a->place, path, &attributes, a->err);
	case TAR_CHARACTER:
	case TAR_BLOCK_DEVICE:
		return apply_device(a, item, path, &attributes);
	default:
		return 0;
	}
}

static int apply_item(struct apply *a, const struct tar_item *item)
{
	CLEANUP(free_ptr) char *path = NULL;
	int r = clean(a, item->path, &path);

	if (r < 0 || !path || *path == '\0') /* the root is the same in every tree */
		return r;
	if (item->uid >= UINT32_MAX || item->gid >= UINT32_MAX)
		return refuse(a, path, "an owner beyond 32 bits");
	if (strncmp(path, ".wh.", 4) == 0 || strstr(path, "/.wh.")) {
		if (strncmp(path_base(path), ".wh.", 4) != 0 ||
		    strstr(path, ".wh.") != path_base(path))
			return refuse(a, path, "a whiteout with content");
		return apply_mark(a, path);
	}
	return apply_at(a, item, path);
}

static int apply_items(struct apply *a)
{
	struct tar_item item;
	uint64_t count = 0;
	int r;

	while ((r = tar_reader_next(a->tar, &item, a->err)) > 0) {
		if (++count > ENTRIES_MAX)
			return varve_error_set(a->err, -VARVE_E_LIMIT,
					       "a layer of more than %d entries", ENTRIES_MAX);
		r = apply_item(a, &item);
		if (r < 0)
			return r;
	}
	return r;
}

static int check_diff_id(struct apply *a, const struct varve_layer *layer)
{
	char is[VARVE_DIGEST_TEXT], wanted[VARVE_DIGEST_TEXT];
	struct varve_digest digest;
	uint64_t size;
	int r = tar_reader_finish(a->tar, &digest, &size, a->err);

	if (r < 0 || varve_digest_equal(&digest, &layer->diff_id))
		return r;
	return varve_error_set(a->err, -VARVE_E_DIGEST,
			       "the layer's tar (%" PRIu64 " bytes) has digest %s, not %s", size,
			       varve_digest_text(&digest, is),
			       varve_digest_text(&layer->diff_id, wanted));
}

/* A file that could not be written comes before whatever stopped the reader. */
static int finish_files(struct apply *a, int r)
{
	struct varve_error earlier;
	int written = place_files_finish(a->files, &earlier);

	if (written == 0)
		return r;
	if (a->err)
		*a->err = earlier;
	return written;
}

static unsigned writers(const struct varve_layer *layer)
{
	return layer->blob.size < WORTH_THREADS ? 0 : capacity_cores() - 1;
}

int layer_apply(int blob_fd, const struct varve_layer *layer, int tree, const struct owners *owners,
		struct strv *ret_implied, struct varve_error *err)
{
	CLEANUP(layer_stream_freep) struct layer_stream *stream = NULL;
	CLEANUP(apply_release) struct apply a = {.err = err};
	int r = layer_stream_new(blob_fd, &layer->blob, &stream, err);

	if (r < 0)
		return r;
	a.ahead = layer_ahead_new(stream, layer->blob.size);
	a.tar = tar_reader_new_ahead(a.ahead);
	a.place = layer_place_new(tree, owners, true);
	a.files = place_files_new(a.place, writers(layer));
	r = finish_files(&a, apply_items(&a));
	if (r == 0)
		r = check_diff_id(&a, layer);
	layer_ahead_stop(a.ahead);
	r = layer_stream_finish(stream, r, err);
	if (r < 0)
		return r;
	return layer_place_finish(a.place, ret_implied, err);
}
