/* SPDX-License-Identifier: Apache-2.0
 * Directories that images are exported into. */
#ifndef IMAGE_IMAGE_PLACE_H
#define IMAGE_IMAGE_PLACE_H

#include <stdbool.h>
#include <varve/descriptor.h>
#include <varve/error.h>

struct varve_store;

/* Makes the directory where it is missing, opens it and holds it alone (flock) against other
 * exports; refuses one that has files but no marker, since it is something else of the user's. */
int image_place_open(const char *path, const char *marker, int *ret_fd, struct varve_error *err);

/* Brings a blob of the store, verified, to dirfd under its hex digits: reflink, hard link, copy. A
 * file of that name and size is left alone. */
int image_place_blob(struct varve_store *store, const struct varve_descriptor *blob, int dirfd,
		     struct varve_error *err);

/* Writes a small file (synced, by rename) unless it has these bytes already. */
int image_place_text(int dirfd, const char *name, const char *text, struct varve_error *err);

#endif
