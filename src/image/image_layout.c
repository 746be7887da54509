/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "image/image_document.h"
#include "image/image_index.h"
#include "image/image_place.h"
#include "store/store.h"

static int place_blobs(const struct image_job *job, int dirfd, struct varve_error *err)
{
	CLEANUP(free_ptr) const struct varve_descriptor **blobs = NULL;
	size_t count = image_blobs(job, &blobs);
	bool no_reflinks = false;
	int r = 0;

	for (size_t i = 0; i < count && r >= 0; i++)
		r = image_place_blob(job->store, blobs[i], dirfd, &no_reflinks, err);
	return r < 0 ? r : image_place_sync(dirfd, err);
}

/* --- oci: ----------------------------------------------------------------------------------------
 */

static int update_index(const struct image_job *job, int layout, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	bool changed = false;
	int r;

	r = image_layout_index(layout, &index, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < job->count; i++)
		changed |= image_index_put(index, job->images[i].image, image_export_name(job, i));
	if (!changed)
		return 0;
	json_canonical(index, &text);
	return image_place_text(layout, "index.json", text.data, err);
}

static int refuse_store(const struct image_job *job, int layout, struct varve_error *err)
{
	struct stat store, target;

	if (fstat(store_dirfd(job->store), &store) < 0 || fstat(layout, &target) < 0)
		return varve_error_set(err, -errno, "look at the directory");
	if (store.st_dev != target.st_dev || store.st_ino != target.st_ino)
		return 0;
	return varve_error_set(err, -VARVE_E_USAGE,
			       "this is the store itself, which has the image already");
}

int image_export_layout(const struct image_job *job, struct varve_error *err)
{
	CLEANUP(image_layout_close) struct image_layout layout = IMAGE_LAYOUT_INIT;
	int r;

	r = image_layout_make(job->target->path, &layout, err);
	if (r < 0)
		return r;
	r = refuse_store(job, layout.fd, err);
	if (r < 0)
		return r;
	r = place_blobs(job, layout.blobs, err);
	if (r < 0)
		return r;
	return update_index(job, layout.fd, err);
}

/* --- dir: ----------------------------------------------------------------------------------------
 */

int image_export_dir(const struct image_job *job, struct varve_error *err)
{
	const struct image *image = job->images[0].image;
	CLEANUP(buf_release) struct buf manifest = BUF_INIT;
	CLEANUP(image_place_close) struct image_place place = IMAGE_PLACE_INIT;
	int r;

	r = store_blob_read(job->store, &image->manifest_descriptor.digest, IMAGE_MANIFEST_LIMIT,
			    &manifest, err);
	if (r < 0)
		return r;
	r = image_place_open(job->target->path, "version", &place, err);
	if (r < 0)
		return r;
	r = image_place_text(place.fd, "version", "Directory Transport Version: 1.1\n", err);
	if (r < 0)
		return r;
	r = place_blobs(job, place.fd, err);
	if (r < 0)
		return r;
	return image_place_text(place.fd, "manifest.json", buf_text(&manifest), err);
}
