/* SPDX-License-Identifier: Apache-2.0
 * Putting the entries of an archive into an empty directory, never outside of it. Paths are clean;
 * symlinks on the way are followed inside the directory, as a container runtime would. Missing
 * parents are made 0755 0:0 with time 0 and are "implied" until an entry for them comes. A later
 * entry replaces an earlier one, but never a directory that has content. */
#ifndef LAYER_LAYER_PLACE_H
#define LAYER_LAYER_PLACE_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>
#include <varve/error.h>
#include "base/owner.h"

struct layer_place;
struct layer_xattrs;
struct strv;

struct place_attributes {
	bool owned; /* false: ids are left to the kernel */
	uid_t uid;
	gid_t gid;
	mode_t mode;
	struct timespec mtime;
	const struct layer_xattrs *xattrs; /* NULL: none */
};

/* root is borrowed. owned: parents are given to 0:0; else owners is not used and may be NULL. */
struct layer_place *layer_place_new(int root, const struct owners *owners, bool owned);
int layer_place_directory(struct layer_place *p, const char *path, const struct place_attributes *a,
			  struct varve_error *err);
/* An empty file, open for writing; then its content; then layer_place_attributes, which any thread
 * may call meanwhile. */
int layer_place_file(struct layer_place *p, const char *path, int *ret_fd, struct varve_error *err);
int layer_place_attributes(struct layer_place *p, const char *path, int fd,
			   const struct place_attributes *a, struct varve_error *err);
int layer_place_symlink(struct layer_place *p, const char *path, const char *target,
			const struct place_attributes *a, struct varve_error *err);
int layer_place_fifo(struct layer_place *p, const char *path, const struct place_attributes *a,
		     struct varve_error *err);
/* type: S_IFCHR or S_IFBLK. */
int layer_place_device(struct layer_place *p, const char *path, mode_t type, dev_t rdev,
		       const struct place_attributes *a, struct varve_error *err);
/* target: an entry that came before. */
int layer_place_link(struct layer_place *p, const char *path, const char *target,
		     struct varve_error *err);
/* Hides path of the layers below; an entry of this layer at path stays. */
int layer_place_whiteout(struct layer_place *p, const char *path, struct varve_error *err);
/* Hides what the layers below have in directory ("": the root). */
int layer_place_opaque(struct layer_place *p, const char *directory, struct varve_error *err);
/* Sets what must be set last: times and extended attributes of directories. ret_implied: sorted. */
int layer_place_finish(struct layer_place *p, struct strv *ret_implied, struct varve_error *err);
void layer_place_freep(struct layer_place **p);

#endif
