/* SPDX-License-Identifier: Apache-2.0
 * The canonical form of a merged document: JSON, keys sorted, every scalar a string, nothing where
 * nothing is written. Comments, anchors, includes, quoting and order of keys do not show in it. */
#ifndef RECIPE_RECIPE_DUMP_H
#define RECIPE_RECIPE_DUMP_H

#include "recipe/recipe_node.h"

/* sha256 (64 digits and NUL) of the canonical form. */
void dump_digest(const struct node *root, char ret[65]);

#endif
