/* SPDX-License-Identifier: Apache-2.0
 * The names that a template may hold, with whether one is used: options, columns of tables, plain
 * variables. */
#ifndef RECIPE_RECIPE_NAMES_H
#define RECIPE_RECIPE_NAMES_H

#include "recipe/recipe.h"

enum name_kind { NAME_OPTION, NAME_COLUMN, NAME_PLAIN };

struct name {
	const char *text; /* borrowed from the recipe */
	struct recipe_place at;
	enum name_kind kind;
	size_t index; /* of the option, the table or the plain variable */
	bool used;
};

struct names {
	struct name *items; /* sorted by text */
	size_t count, alloc;
};

/* Columns are taken from the first row of a table. The same name twice: -VARVE_E_RECIPE. */
int names_build(const struct recipe *recipe, struct names *ret, struct varve_error *err);
void names_release(struct names *names);
struct name *names_find(const struct names *names, const char *text);
/* `; did you mean ...?` or "". Caller frees. */
char *names_suggest(const struct names *names, const char *text);
const char *name_kind_text(enum name_kind kind);

#endif
