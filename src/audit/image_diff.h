/* SPDX-License-Identifier: Apache-2.0
 * Comparing two images: digest, then manifest and config, then layers, then their entries.
 *
 *	place + descriptor -> image_side_open -> image_diff -> struct differences */
#ifndef AUDIT_IMAGE_DIFF_H
#define AUDIT_IMAGE_DIFF_H

#include "audit/difference.h"
#include "registry/manifest.h"
#include "registry/place.h"

struct varve_store;

/* One of the two images. */
struct image_side {
	struct place *place; /* where its blobs are; borrowed */
	const char *name; /* as the user wrote it, for messages; borrowed */
	struct manifest manifest; /* owned */
	json_t *config; /* owned */
	struct varve_digest *diff_ids; /* one per layer, as the config says; owned */
	size_t layer_count;
};

/* Reads manifest and config, verified. -VARVE_E_FORMAT: no image, or numbers of layers and diff ids
 * that differ. */
int image_side_open(struct place *place, const char *name, const struct varve_descriptor *root,
		    struct image_side *ret, struct varve_error *err);
void image_side_release(struct image_side *side); /* usable with CLEANUP */

/* Adds all differences. Layers at the same place in both are compared, after those that are the
 * same at the beginning and the end were set aside. Blobs of different digests are read and their
 * diff ids compared with the config's (-VARVE_E_DIGEST); indexes of layers are kept in the store's
 * facts. */
int image_diff(struct varve_store *store, const struct image_side *a, const struct image_side *b,
	       struct differences *all, struct varve_error *err);

#endif
