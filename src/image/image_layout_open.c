/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/fd.h"
#include "base/index.h"
#include "image/image_blobs.h"
#include "image/image_document.h"
#include "image/image_index.h"
#include "image/image_place.h"

void image_layout_close(struct image_layout *layout)
{
	fd_close(&layout->blobs);
	image_place_close(&(struct image_place){layout->fd, layout->lock});
	layout->fd = layout->lock = -1;
}

int image_layout_index(int layout, json_t **ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	int r;

	if (faccessat(layout, "index.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
		*ret = index_new();
		return 0;
	}
	r = json_read_file(layout, "index.json", &index, err);
	if (r < 0)
		return r;
	r = image_index_check(index, err);
	if (r < 0) {
		varve_error_prefix(err, "index.json");
		return r;
	}
	*ret = steal_ptr(&index);
	return 0;
}

static int open_blobs(struct image_layout *layout, struct varve_error *err)
{
	layout->blobs = openat(layout->fd, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (layout->blobs < 0)
		return varve_error_set(err, -errno, "open blobs/sha256");
	return 0;
}

int image_layout_open(const char *path, struct image_layout *ret, struct varve_error *err)
{
	CLEANUP(image_layout_close) struct image_layout layout = IMAGE_LAYOUT_INIT;
	int r;

	layout.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (layout.fd < 0)
		return varve_error_set(err, -errno, "open the layout %.300s", path);
	if (faccessat(layout.fd, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "%.300s is no OCI layout: it has no file \"oci-layout\"",
				       path);
	r = open_blobs(&layout, err);
	if (r < 0)
		return r;
	*ret = layout;
	layout = (struct image_layout)IMAGE_LAYOUT_INIT;
	return 0;
}

int image_layout_make(const char *path, struct image_layout *ret, struct varve_error *err)
{
	CLEANUP(image_layout_close) struct image_layout layout = IMAGE_LAYOUT_INIT;
	struct image_place place = IMAGE_PLACE_INIT;
	int r;

	r = image_place_open(path, "oci-layout", &place, err);
	layout.fd = place.fd;
	layout.lock = place.lock;
	if (r == 0)
		r = image_place_text(layout.fd, "oci-layout", IMAGE_LAYOUT_FILE, err);
	if (r < 0)
		return r;
	r = fd_mkdir_p(layout.fd, "blobs/sha256", 0755);
	if (r < 0)
		return varve_error_set(err, r, "make blobs/sha256");
	r = open_blobs(&layout, err);
	if (r < 0)
		return r;
	*ret = layout;
	layout = (struct image_layout)IMAGE_LAYOUT_INIT;
	return 0;
}

int image_layout_find(const struct image_layout *layout, const char *name,
		      struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	int r = image_layout_index(layout->fd, &index, err);

	return r < 0 ? r : image_index_find(index, name, ret, err);
}

int image_layout_enter(const struct image_layout *layout, const char *name,
		       const struct varve_descriptor *manifest, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	json_t *entry, *annotations;
	int r = image_layout_index(layout->fd, &index, err);

	if (r < 0)
		return r;
	entry = descriptor_to_json(manifest);
	annotations = json_object();
	json_set(annotations, INDEX_REF_NAME, json_text(name));
	json_set(entry, "annotations", annotations);
	if (!index_replace(index, name, entry))
		return 0;
	json_canonical(index, &text);
	return image_place_text(layout->fd, "index.json", buf_text(&text), err);
}
