/* SPDX-License-Identifier: Apache-2.0
 * Two layers side by side: their entries by path, the data of files that differ, and what lies
 * below. What difference_layers compares. Pure but for reading the data. */
#ifndef AUDIT_LAYER_PAIR_H
#define AUDIT_LAYER_PAIR_H

#include "audit/layer_data.h"
#include "audit/layer_files.h"

struct strv;

struct layer_pair {
	int layer; /* from 1 */
	const struct layer_files *a, *b; /* borrowed */
	const struct strv *below; /* paths that the layers below show, sorted, the same in both
				   * images; NULL: unknown; borrowed */
	struct layer_data a_data,
		b_data; /* of files that differ, in the order of the walk; owned */
	bool has_data; /* they were read */
};

void layer_pair_release(struct layer_pair *pair); /* usable with CLEANUP */

/* Walks all paths in order: = {0}, then until false. Entries of one path in one layer are paired in
 * their order. */
struct layer_pair_step {
	const struct layer_file *a, *b; /* NULL: only the other has it */
	size_t a_next, b_next;
};
bool layer_pair_next(const struct layer_pair *pair, struct layer_pair_step *step);
/* Both are files, and their data differs. */
bool layer_pair_step_differs(const struct layer_pair_step *step);
/* Fills what is wanted of a_data and b_data: the n-th step that differs is the n-th of both. */
void layer_pair_want(struct layer_pair *pair);
/* A whiteout that only one of them has. */
bool layer_pair_has_lonely_whiteout(const struct layer_pair *pair);

#endif
