/* SPDX-License-Identifier: Apache-2.0
 * The directory that an entry goes into: found, or made, inside the root. The last one stays open,
 * since entries come directory by directory. */
#ifndef LAYER_LAYER_PLACE_PARENT_H
#define LAYER_LAYER_PLACE_PARENT_H

#include <stdbool.h>
#include <varve/error.h>
#include "base/owner.h"
#include "layer/layer_place_dirs.h"

struct place_parent {
	int root; /* borrowed */
	const struct owners *owners;
	bool owned; /* what is made is given to 0:0 */
	struct place_dirs dirs; /* what was made, here or by others */
	char *asked; /* the directory as written; NULL: none is open */
	char *real; /* where it is, symlinks resolved */
	int fd;
};

/* Makes the directory "asked" ("": the root) the open one; symlinks are followed inside the root.
 * -VARVE_E_FORMAT when something else is in the way. */
int place_parent_enter(struct place_parent *p, const char *asked, struct varve_error *err);
void place_parent_release(struct place_parent *p);
/* Opens a directory without following a symlink. Returns a descriptor or -errno. */
int place_open_child(int fd, const char *name);

#endif
