/* SPDX-License-Identifier: Apache-2.0
 * What expansion and the check of it share: errors, and the shape of a condition. */
#ifndef RECIPE_RECIPE_EXPAND_H
#define RECIPE_RECIPE_EXPAND_H

#include "recipe/recipe.h"

/* A condition as written: LEFT, LEFT == RIGHT or LEFT != RIGHT, blanks around the operator dropped.
 */
struct condition {
	struct recipe_value left, right; /* owned; right.text NULL: no comparison */
	bool negated; /* != */
};

int condition_read(const struct recipe_value *value, struct condition *ret,
		   struct varve_error *err);
void condition_release(struct condition *condition);

/* Says that an option with keyed: false cannot be used at a place. */
int expand_unkeyed(const struct recipe_place *at, const char *name, struct varve_error *err);

#endif
