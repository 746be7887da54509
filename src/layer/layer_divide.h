/* SPDX-License-Identifier: Apache-2.0
 * Taking a tree apart into the trees of its parts (layer_split.h says which is where). */
#ifndef LAYER_LAYER_DIVIDE_H
#define LAYER_LAYER_DIVIDE_H

#include "layer/layer.h"
#include "layer/layer_split.h"

/* Moves what tree holds into new directories into/0, into/1, ... of the same file system, each a
 * tree as tree was: units are renamed, directories that lead to them are copied. Where there is one
 * part only nothing is moved, and *ret_count is 1 (0: the tree is empty). implied
 * is left alone: those of a part are layer_divide_implied's. */
int layer_divide(int tree, const struct owners *owners, const struct layer_split *how, int into,
		 const struct layer_notices *notices, size_t *ret_count, struct varve_error *err);
/* The implied directories that a part's tree has, of all that the undivided one had; an empty one,
 * which only names that went elsewhere led through, is removed. Caller releases. */
int layer_divide_implied(int part, const struct strv *implied, struct strv *ret,
			 struct varve_error *err);

#endif
