/* SPDX-License-Identifier: Apache-2.0
 * A walk over a tree in the one total order: a directory before its content; in a directory
 * whiteouts first, then names bytewise. The content of a directory is read when the walk goes into
 * it, so what its caller changes in a directory right after its entry is seen. Few descriptors are
 * open at a time, however deep the tree is. */
#ifndef LAYER_LAYER_WALK_H
#define LAYER_LAYER_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <varve/error.h>
#include "base/owner.h"

struct layer_walk;

struct walk_entry {
	const char *path; /* from the root; valid until the next call */
	const char *name; /* its last component */
	int dirfd; /* of its parent; borrowed, valid until the next call */
	int fd; /* of a regular file, where the walk opens them; borrowed like dirfd; or -1 */
	size_t depth; /* 0: in the root */
	struct stat st; /* owner and mode as the image sees them; as it was on entry when leaving */
	bool whiteout;
	bool leave; /* the second event of a directory, after its content */
};

enum { LAYER_PATH_MAX = 4096 }; /* longest path in a layer, with its NUL */

/* root is borrowed. */
int layer_walk_new(int root, const struct owners *owners, struct layer_walk **ret,
		   struct varve_error *err);
/* From the next entry on regular files come opened for reading: one look-up of a name less. */
void layer_walk_open_files(struct layer_walk *walk);
/* 1: an entry; 0: the end. */
int layer_walk_next(struct layer_walk *walk, struct walk_entry *ret, struct varve_error *err);
void layer_walk_free(struct layer_walk *walk);
void layer_walk_freep(struct layer_walk **walk);

/* A whiteout is a character device 0:0, real as overlayfs has it or recorded: st is what owner_read
 * made of it. */
bool layer_is_whiteout(const struct stat *st);
/* In the form that owners says, if the file system can. Returns 0 or -errno. */
int layer_make_whiteout(const struct owners *owners, int dirfd, const char *name);

#endif
