/* SPDX-License-Identifier: Apache-2.0
 * The directories that layer_place made: which are implied, and what is set on them at the end. */
#ifndef LAYER_LAYER_PLACE_DIRS_H
#define LAYER_LAYER_PLACE_DIRS_H

#include <stdbool.h>
#include <time.h>
#include "layer/layer_xattr.h"

struct place_dir {
	char *path;
	bool implied;
	struct timespec mtime;
	struct layer_xattrs xattrs;
};

struct place_dirs {
	void *tree; /* tsearch(3) tree of struct place_dir */
};

/* The record of path; made when it is not there, implied and of time 0 then. */
struct place_dir *place_dirs_get(struct place_dirs *d, const char *path);
void place_dirs_remove(struct place_dirs *d, const char *path);
/* Calls fn for each in the order of paths until one fails. */
int place_dirs_each(const struct place_dirs *d,
		    int (*fn)(void *cookie, const struct place_dir *dir), void *cookie);
void place_dirs_release(struct place_dirs *d);

#endif
