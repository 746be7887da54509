/* SPDX-License-Identifier: Apache-2.0
 * Comparing two indexes: their own members, then the images of each platform. */
#ifndef AUDIT_INDEX_DIFF_H
#define AUDIT_INDEX_DIFF_H

#include "audit/image_diff.h"

/* An index, or an image; what is in it lies in place. All borrowed. */
struct index_side {
	struct place *place;
	const char *name; /* as the user wrote it */
	const struct varve_descriptor *root;
};

/* Images are paired by platform, and those of one platform in their order; what has none
 * (attestations) by digest. Two images are compared as image_diff does. -VARVE_E_FORMAT: an index
 * and an image. */
int index_diff(struct varve_store *store, const struct index_side *a, const struct index_side *b,
	       struct differences *all, struct varve_error *err);

#endif
