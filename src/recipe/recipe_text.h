/* SPDX-License-Identifier: Apache-2.0
 * Text from outside: whether it is UTF-8 that a recipe may hold. */
#ifndef RECIPE_RECIPE_TEXT_H
#define RECIPE_RECIPE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include "recipe/recipe.h"

enum {
	TEXT_LIMIT = 1 << 20, /* bytes of a file of a recipe, and of an expanded value */
	TEXT_BLANK_LINES = 1000, /* in a row */
};

/* Length of the character (1..4) at text, which has len > 0 bytes; 0 where it is not UTF-8. */
size_t text_character(const char *text, size_t len);
/* True for UTF-8 without NUL. */
bool text_is_valid(const char *text, size_t len);
/* Checks a whole file before anything parses it: size, UTF-8, no NUL, no absurd run of blank lines.
 */
int text_check_file(const char *text, size_t len, const char *file, struct varve_error *err);

#endif
