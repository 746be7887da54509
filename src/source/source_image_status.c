/* SPDX-License-Identifier: Apache-2.0
 * What dpkg of an image knows: one file, looked for in the layers from the top. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "layer/layer_stream.h"
#include "layer/layer_tar_read.h"
#include "source/source_image.h"
#include "source/source_kind.h"
#include "store/store.h"

#define STATUS "var/lib/dpkg/status"

enum { STATUS_LIMIT = 64 << 20 };

enum finding { FOUND_NOTHING, FOUND_FILE, FOUND_REMOVED };

static ssize_t read_stream(void *cookie, void *data, size_t len, struct varve_error *err)
{
	return layer_stream_read(cookie, data, len, err);
}

/* A whiteout of the file, or of a directory above it, or one that empties such a directory. */
static bool removes_status(const char *path)
{
	static const char *const whiteouts[] = {".wh.var",
						"var/.wh.lib",
						"var/lib/.wh.dpkg",
						"var/lib/dpkg/.wh.status",
						"var/.wh..wh..opq",
						"var/lib/.wh..wh..opq",
						"var/lib/dpkg/.wh..wh..opq"};

	for (size_t i = 0; i < ARRAY_SIZE(whiteouts); i++)
		if (str_equal(path, whiteouts[i]))
			return true;
	return false;
}

static int take_data(struct tar_reader *reader, struct buf *ret, struct varve_error *err)
{
	const void *data;
	ssize_t n;

	buf_reset(ret);
	while ((n = tar_reader_data(reader, &data, err)) > 0) {
		if (ret->len + (size_t)n > STATUS_LIMIT)
			return varve_error_set(err, -VARVE_E_LIMIT, "/" STATUS " is too large");
		buf_add(ret, data, (size_t)n);
	}
	return (int)n;
}

/* The whole layer is read: the last entry of a name counts. */
static int look_in_tar(struct tar_reader *reader, struct buf *ret, enum finding *finding,
		       struct varve_error *err)
{
	struct tar_item item;
	int r;

	while ((r = tar_reader_next(reader, &item, err)) > 0) {
		CLEANUP(free_ptr) char *path = path_clean(item.path);

		if (!path)
			continue;
		if (removes_status(path) && *finding == FOUND_NOTHING)
			*finding = FOUND_REMOVED;
		if (!str_equal(path, STATUS) || item.type != TAR_FILE)
			continue;
		*finding = FOUND_FILE;
		r = take_data(reader, ret, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int look_in_layer(struct source_context *context, const struct lock_artifact *artifact,
			 struct buf *ret, enum finding *finding, struct varve_error *err)
{
	CLEANUP(layer_stream_freep) struct layer_stream *stream = NULL;
	CLEANUP(tar_reader_freep) struct tar_reader *reader = NULL;
	struct varve_descriptor blob = {.digest = artifact->sha256, .size = artifact->size};
	CLEANUP(fd_close) int fd = -1;
	int r = varve_store_open_blob(context->store, &artifact->sha256, &fd, err);

	(void)snprintf(blob.media_type, sizeof(blob.media_type), "%.100s",
		       json_optional_string(artifact->extra, "media-type", ""));
	if (r == 0)
		r = layer_stream_new(fd, &blob, &stream, err);
	if (r < 0)
		return r;
	reader = tar_reader_new(read_stream, stream);
	r = look_in_tar(reader, ret, finding, err);
	if (r < 0)
		varve_error_prefix(err, "%s of the image", artifact->name);
	return r;
}

static bool is_installed(const char *stanza, size_t len)
{
	static const char field[] = "\nStatus: ";
	const char *status = memmem(stanza, len, field, strlen(field));
	CLEANUP(free_ptr) char *line = NULL;

	if (!status)
		return false;
	status += strlen(field);
	line = xstrndup(status, strcspn(status, "\n"));
	return str_ends(line, " installed");
}

/* What was removed leaves a stanza behind, for its configuration files. */
static void add_installed(const char *status, struct buf *ret)
{
	while (*status) {
		const char *end = strstr(status, "\n\n");
		size_t len = end ? (size_t)(end - status) + 1 : strlen(status);

		if (is_installed(status, len)) {
			buf_add(ret, status, len);
			buf_addc(ret, '\n');
		}
		status += len;
		status += strspn(status, "\n");
	}
}

int source_image_status(struct source_context *context, const struct lock_source *source,
			struct buf *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf status = BUF_INIT;
	enum finding finding = FOUND_NOTHING;
	int r = 0;

	for (size_t i = source->count; i-- > 0 && r == 0 && finding == FOUND_NOTHING;)
		if (json_object_get(source->artifacts[i].extra, "diff-id"))
			r = look_in_layer(context, &source->artifacts[i], &status, &finding, err);
	if (r == 0 && finding == FOUND_FILE)
		add_installed(buf_text(&status), ret);
	return r;
}
