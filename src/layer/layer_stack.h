/* SPDX-License-Identifier: Apache-2.0
 * Looking things up in the merged view of a stack of trees without mounting it. The rules are those
 * of overlayfs: the topmost tree wins; directories merge downwards until something else, a whiteout
 * or an opaque directory ends it. */
#ifndef LAYER_LAYER_STACK_H
#define LAYER_LAYER_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include "layer/layer.h"

struct stack_found {
	size_t top; /* index of the tree that has it */
	size_t bottom; /* a directory: index of the lowest tree that still merges into it */
	struct stat st;
};

/* What stands at path (clean) in the trees top..parent_bottom, where parent_bottom is the .bottom
 * of its directory (0 for one in the root). Returns 1 when found, 0 when not, or -errno. */
int layer_stack_find(const struct layer_stacked *stack, size_t count, size_t parent_bottom,
		     const char *path, struct stack_found *ret);

/* The same in the trees to-1..from only. *ret_ends: what lies below those does not show at path. */
int layer_stack_search(const struct layer_stacked *stack, size_t from, size_t to, const char *path,
		       struct stack_found *ret, bool *ret_ends);

bool layer_implied_has(const struct strv *implied, const char *path); /* NULL: none are */

#endif
