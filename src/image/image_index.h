/* SPDX-License-Identifier: Apache-2.0
 * index.json of a layout (image-spec image-layout.md), as data. */
#ifndef IMAGE_IMAGE_INDEX_H
#define IMAGE_IMAGE_INDEX_H

#include "image/image.h"

/* Refuses what is no index that we could change and write again. */
int image_index_check(json_t *index, struct varve_error *err);
/* Enters the image under name: an entry of that name is replaced where it stands (further ones go),
 * else it comes last. True when the index changed. */
bool image_index_put(json_t *index, const struct image *image, const char *name);
/* The entry of this name; NULL: the only one that is no list of referrers. -VARVE_E_NOT_FOUND lists
 * the names. */
int image_index_find(const json_t *index, const char *name, struct varve_descriptor *ret,
		     struct varve_error *err);

#endif
