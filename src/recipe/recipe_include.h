/* SPDX-License-Identifier: Apache-2.0
 * A recipe and its includes as one tree. Included files come first, in the order of the list, each
 * once however often it is named; sections are joined, a name that is in two files is an error; of
 * single values (name, registry) the including file's wins. */
#ifndef RECIPE_RECIPE_INCLUDE_H
#define RECIPE_RECIPE_INCLUDE_H

#include "recipe/recipe_node.h"

struct include_input {
	recipe_load load; /* NULL: includes are refused */
	void *cookie;
	struct recipe *recipe; /* its list of files grows */
	struct node_pool *pool; /* owns the tree */
};

int include_read(const struct include_input *input, const char *text, size_t len, const char *file,
		 struct node **ret, struct varve_error *err);

#endif
