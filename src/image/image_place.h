/* SPDX-License-Identifier: Apache-2.0
 * Directories that images are exported into. */
#ifndef IMAGE_IMAGE_PLACE_H
#define IMAGE_IMAGE_PLACE_H

#include <stdbool.h>
#include <varve/descriptor.h>
#include <varve/error.h>

struct varve_store;

/* One that is held. */
struct image_place {
	int fd; /* the directory */
	int lock; /* what base/lock_file.h holds it by */
};
#define IMAGE_PLACE_INIT                                                                           \
	{                                                                                          \
		-1, -1                                                                             \
	}
/* Makes the directory where it is missing, opens it and holds it alone (flock) against other
 * exports; refuses one that has files but no marker, since it is something else of the user's. */
int image_place_open(const char *path, const char *marker, struct image_place *ret,
		     struct varve_error *err);
void image_place_close(struct image_place *place); /* harmless on IMAGE_PLACE_INIT */

/* Brings a blob of the store to dirfd under its hex digits: reflink, else hard link (a file that
 * nobody may write to, mode 0444), else copy. A file of that name and size is left alone. The bytes
 * are on the disk then; the name is when image_place_sync has been called. *no_reflinks: false at
 * first; true once dirfd's file system was seen to have none, so that it is asked no more. */
int image_place_blob(struct varve_store *store, const struct varve_descriptor *blob, int dirfd,
		     bool *no_reflinks, struct varve_error *err);
int image_place_sync(int dirfd, struct varve_error *err);

/* Writes a small file (synced, by rename) unless it has these bytes already. */
int image_place_text(int dirfd, const char *name, const char *text, struct varve_error *err);

#endif
