/* SPDX-License-Identifier: Apache-2.0
 * Layers that the store lacks. An image that was built on a registry's image names that one in its
 * annotations (image-spec, annotations.md), and its layers may have stayed at the registry. */
#ifndef REGISTRY_BASE_IMAGE_H
#define REGISTRY_BASE_IMAGE_H

#include "registry/copy_source.h"

struct base_image {
	struct endpoint from; /* HOST/REPOSITORY@DIGEST */
	struct copy_source source; /* its layers are still there; its place is the store */
	bool is_open;
};
#define BASE_IMAGE_INIT                                                                            \
	{                                                                                          \
		.source = {.layout = IMAGE_LAYOUT_INIT }                                           \
	}

/* Opens what an image of the store stands on, where the store lacks one of its layers; nothing is
 * open where it has them all, and for an index. -VARVE_E_NOT_FOUND: nothing tells where they are.
 */
int base_image_open(const struct copy *copy, const struct varve_descriptor *image,
		    struct base_image *ret, struct varve_error *err);
void base_image_release(struct base_image *base);
/* In any thread: one layer, into the store. */
int base_image_layer(struct base_image *base, const struct copy *copy,
		     const struct varve_descriptor *blob, struct http_client *client,
		     struct varve_error *err);

#endif
