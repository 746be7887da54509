/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_blobs.h"

#include <stdlib.h>
#include "base/buf.h"

static int compare(const void *a, const void *b)
{
	const struct varve_descriptor *const *left = a;
	const struct varve_descriptor *const *right = b;

	return varve_digest_compare(&(*left)->digest, &(*right)->digest);
}

size_t image_blobs(const struct image_job *job, const struct varve_descriptor ***ret)
{
	const struct varve_descriptor **blobs = NULL;
	size_t count = 0, unique = 0, alloc = 0;

	for (size_t i = 0; i < job->count; i++) {
		const struct image *image = job->images[i].image;

		alloc += image->layer_count + 2;
	}
	blobs = xcalloc(alloc ? alloc : 1, sizeof(const struct varve_descriptor *));
	for (size_t i = 0; i < job->count; i++) {
		const struct image *image = job->images[i].image;

		blobs[count++] = &image->manifest_descriptor;
		blobs[count++] = &image->config_descriptor;
		for (size_t j = 0; j < image->layer_count; j++)
			blobs[count++] = &image->layers[j].blob;
	}
	qsort(blobs, count, sizeof(const struct varve_descriptor *), compare);
	for (size_t i = 0; i < count; i++) {
		if (unique == 0 || compare(&blobs[unique - 1], &blobs[i]) != 0)
			blobs[unique++] = blobs[i];
	}
	*ret = blobs;
	return unique;
}

const char *image_export_name(const struct image_job *job, size_t index)
{
	return job->target->name ? job->target->name : job->images[index].name;
}

int image_export(struct varve_store *store, const struct image_export *images, size_t count,
		 const struct image_target *target, image_unpack unpack, struct varve_error *err)
{
	const struct image_job job = {store, images, count, target, unpack};
	int r = 0;

	if (count > 1 && target->name)
		return varve_error_set(
			err, -VARVE_E_USAGE,
			"the name \"%.200s\" cannot be given to %zu images; leave it "
			"out or choose one image",
			target->name, count);
	if (count != 1 && target->transport == IMAGE_DIR)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "dir:%.300s holds one image, not %zu; choose one image",
				       target->path, count);
	switch (target->transport) {
	case IMAGE_OCI:
		r = image_export_layout(&job, err);
		break;
	case IMAGE_OCI_ARCHIVE:
		r = image_export_oci_archive(&job, err);
		break;
	case IMAGE_DOCKER_ARCHIVE:
		r = image_export_docker_archive(&job, err);
		break;
	case IMAGE_DIR:
		r = image_export_dir(&job, err);
		break;
	}
	if (r < 0)
		varve_error_prefix(err, "export to %.300s", target->path);
	return r;
}
