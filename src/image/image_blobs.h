/* SPDX-License-Identifier: Apache-2.0
 * The transports of image_export, and the blobs that one carries. */
#ifndef IMAGE_IMAGE_BLOBS_H
#define IMAGE_IMAGE_BLOBS_H

#include "image/image.h"

/* What all transports are given. */
struct image_job {
	struct varve_store *store;
	const struct image_export *images;
	size_t count;
	const struct image_target *target;
	image_unpack unpack;
};

/* Blobs of all images of the job, each once, sorted by digest. Caller frees *ret. */
size_t image_blobs(const struct image_job *job, const struct varve_descriptor ***ret);

/* The name that an image is exported under: the target's, else its own. */
const char *image_export_name(const struct image_job *job, size_t index);

/* index.json of a layout, checked; a new one where there is none. */
int image_layout_index(int layout, json_t **ret, struct varve_error *err);

int image_export_layout(const struct image_job *job, struct varve_error *err);
int image_export_dir(const struct image_job *job, struct varve_error *err);
int image_export_oci_archive(const struct image_job *job, struct varve_error *err);
int image_export_docker_archive(const struct image_job *job, struct varve_error *err);

#endif
