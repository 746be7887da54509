/* SPDX-License-Identifier: Apache-2.0
 * Archives that are read: members become blobs of the store, whatever their names, and the names
 * are kept to find them by. */
#ifndef IMAGE_IMAGE_IMPORT_H
#define IMAGE_IMAGE_IMPORT_H

#include "image/image.h"

struct image_member {
	char *name; /* cleaned; owned */
	char *link; /* of a symlink or hard link, cleaned: the member that is meant; owned */
	struct varve_digest digest; /* of a file's bytes */
	uint64_t size;
	bool gzip; /* the bytes begin as a gzip stream does */
};

struct image_members {
	struct image_member *items;
	size_t count, alloc;
};

/* Reads a plain tar to its end. Files named "blobs/sha256/HEX" have to be what they are named. */
int image_members_read(struct varve_store *store, const char *path, struct image_members *ret,
		       struct varve_error *err);
/* Links followed. NULL: there is no such file. */
const struct image_member *image_members_find(const struct image_members *members,
					      const char *name);
/* Reads a member that is a JSON document. */
int image_members_json(struct varve_store *store, const struct image_members *members,
		       const char *name, json_t **ret, struct varve_error *err);
void image_members_release(struct image_members *members);

/* The image that manifest.json of a docker-archive describes. */
int image_import_docker(struct varve_store *store, const struct image_members *members,
			const char *name, struct varve_descriptor *ret, struct varve_error *err);

#endif
