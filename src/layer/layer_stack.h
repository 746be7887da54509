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

/* A directory that was found, and in how many trees: of a stack that has grown since, only those on
 * top are asked. So a chain of steps that go to one place costs each of them what it adds. */
struct stack_directory {
	char *path;
	size_t trees; /* that many, from the bottom, were looked at */
	size_t parent_bottom; /* as it was then */
	struct stack_found found;
};
enum { STACK_MEMO = 256 };
struct stack_memo {
	struct stack_directory *directories; /* NULL, or room for STACK_MEMO */
	size_t count;
};
void stack_memo_release(struct stack_memo *memo);
/* The stack keeps that many trees only; what was seen with more is forgotten. */
void stack_memo_cut(struct stack_memo *memo, size_t count);
/* layer_stack_find for a stack whose trees were the same, as far as it had them, when memo was
 * asked before. */
int stack_memo_find(struct stack_memo *memo, const struct layer_stacked *stack, size_t count,
		    size_t parent_bottom, const char *path, struct stack_found *ret);

bool layer_implied_has(const struct strv *implied, const char *path); /* NULL: none are */

#endif
