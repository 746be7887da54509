/* SPDX-License-Identifier: Apache-2.0
 * The values that ${...} finds: options first, then the rows of the tables, then plain variables,
 * each seeing only what came before it. */
#ifndef RECIPE_RECIPE_SCOPE_H
#define RECIPE_RECIPE_SCOPE_H

#include "recipe/recipe.h"

struct scope_entry {
	char *name, *value;
	bool unkeyed; /* an option with keyed: false */
};

struct recipe_scope {
	struct scope_entry *items; /* sorted by name */
	size_t count, alloc;
	size_t size; /* bytes of all values */
};

const struct scope_entry *scope_find(const struct recipe_scope *scope, const char *name);
/* Every name, ending with NULL. Caller frees the list only. */
const char **scope_names(const struct recipe_scope *scope);
/* Checks a value against the option's type and gives its canonical form; `ret` is the caller's. The
 * text of the error starts with the option's name and has no place. */
int option_settle(const struct recipe_option *option, const char *text, char **ret,
		  struct varve_error *err);
/* Its help on one line, without blanks at the end. */
void option_add_help(const struct recipe_option *option, struct buf *out);

#endif
