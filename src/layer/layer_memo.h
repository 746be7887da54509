/* SPDX-License-Identifier: Apache-2.0
 * What was seen of a stack that grows on top: a chain of steps that go to one place after the other
 * costs each of them what its layer adds, and not all that lies below.
 *
 * Of a directory that was found it is known in how many trees it was looked for, so that only newer
 * ones are asked. From the second time on it is also known which names its trees have in it, so
 * that a name that is new costs no look into each of them. */
#ifndef LAYER_LAYER_MEMO_H
#define LAYER_LAYER_MEMO_H

#include <stdint.h>
#include "layer/layer_stack.h"

enum {
	LAYER_MEMO = 256, /* directories; then all are forgotten */
	LAYER_MEMO_NAMES = 1 << 16, /* then names are looked for in the trees */
};

struct memo_directory {
	char *path;
	size_t trees; /* that many, from the bottom, were looked at */
	size_t parent_bottom; /* as it was then */
	size_t listed; /* of those, how many have their names in the memo; 0: seen but once */
	struct stack_found found;
};

/* Zero-initialised; its user releases it. */
struct layer_memo {
	struct memo_directory *directories; /* NULL, or room for LAYER_MEMO */
	size_t count;
	uint64_t *names; /* hashes of paths, 0: free. A name that is gone may still be there */
	size_t name_count, name_room; /* room: a power of two */
};

void layer_memo_release(struct layer_memo *memo);
/* The stack keeps that many trees only; what was seen with more is forgotten. */
void layer_memo_cut(struct layer_memo *memo, size_t count);
/* layer_stack_find for a stack whose trees were the same, as far as it had them, when memo was
 * asked before. The directory of path must have been asked for just before, as resolving does. */
int layer_memo_find(struct layer_memo *memo, const struct layer_stacked *stack, size_t count,
		    size_t parent_bottom, const char *path, struct stack_found *ret);

#endif
