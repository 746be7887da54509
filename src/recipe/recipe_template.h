/* SPDX-License-Identifier: Apache-2.0
 * A value with ${...} as a row of parts. Grammar:
 *
 *	template = *( "$${" / "${" name [ ":." number ] "}" / character )
 *	name     = 1*( letter / digit / "-" / "_" / "." )
 *
 * "$${" stands for "${"; a "$" before anything else stands for itself. */
#ifndef RECIPE_RECIPE_TEMPLATE_H
#define RECIPE_RECIPE_TEMPLATE_H

#include "recipe/recipe.h"

enum { TEMPLATE_NAME = 256 };

struct template_part {
	const char *text; /* literal text, borrowed from the value; NULL: a name */
	size_t len;
	char name[TEMPLATE_NAME];
	bool has_cut;
	size_t cut; /* bytes of the name's value that are taken */
	struct recipe_place at; /* of the name; for a value of several lines that of its line */
};

/* The part at *offset, and *offset behind it. Returns 1, 0 at the end, or -VARVE_E_RECIPE. */
int template_next(const struct recipe_value *value, size_t *offset, struct template_part *ret,
		  struct varve_error *err);
/* True when the text holds ${name} or $${: it is not what it looks like. */
bool template_is(const char *text);
/* The name's first part, up to the first dot: "app" of "app.commit". Returns its length, 0 without
 * dot. */
size_t template_owner(const char *name);

#endif
