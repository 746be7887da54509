/* SPDX-License-Identifier: Apache-2.0
 * Every value of a recipe that is or could be a template, but for options and variables, which
 * recipe_check_option.c looks at in their own order. */
#ifndef RECIPE_RECIPE_WALK_H
#define RECIPE_RECIPE_WALK_H

#include "recipe/recipe_schema.h"

struct walk_site {
	const struct recipe_value *value; /* with a text */
	const char *key; /* under which it stands: "run", "environment", ... */
	unsigned names; /* what ${...} may name: enum schema_names */
};

/* A negative result ends the walk. */
typedef int (*walk_visit)(void *cookie, const struct walk_site *site, struct varve_error *err);

int walk_values(const struct recipe *recipe, walk_visit visit, void *cookie,
		struct varve_error *err);

#endif
