/* SPDX-License-Identifier: Apache-2.0
 * Recipes in tests: short texts, and tables of texts with the error that each must give. */
#ifndef TESTS_RECIPE_FIXTURE_H
#define TESTS_RECIPE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe.h"

#define HEAD "varve: 1\nname: r\n"
#define STAGES "stages: {s: {steps: [{step: x, run: y}]}}\n"
#define IMAGES "images: {i: {stage: s, name: n}}\n"

struct text_case {
	const char *text, *error; /* error "": nothing is wrong */
};

/* Fills err; its text is "" when nothing is wrong. */
typedef void (*error_of)(const char *text, size_t len, struct varve_error *err);

/* Prints every case that differs before it fails. */
static inline void check_cases(const struct text_case *cases, size_t count, error_of get)
{
	size_t failed = 0;

	for (size_t i = 0; i < count; i++) {
		struct varve_error err = {0};

		get(cases[i].text, strlen(cases[i].text), &err);
		if (str_equal(err.text, cases[i].error))
			continue;
		print_message("%s\ngave: %s\nnot:  %s\n", cases[i].text, err.text, cases[i].error);
		failed++;
	}
	assert_int_equal(failed, 0);
}

static inline struct recipe *parse(const char *text)
{
	struct recipe *recipe = NULL;
	struct varve_error err = {0};
	int r = recipe_parse(text, strlen(text), "r.yaml", NULL, NULL, &recipe, &err);

	if (r < 0)
		print_message("%s\n", err.text);
	assert_int_equal(r, 0);
	return recipe;
}

static inline void parse_error(const char *text, size_t len, struct varve_error *err)
{
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	int r = recipe_parse(text, len, "r.yaml", NULL, NULL, &recipe, err);

	if (r == 0)
		err->text[0] = '\0';
	assert_true(r == 0 || r == -VARVE_E_RECIPE);
	assert_true((r == 0) == (recipe != NULL));
	assert_int_equal(r, r == 0 ? 0 : err->code);
}

/* Of recipe_check, for a text that parses. */
static inline void check_error(const char *text, size_t len, struct varve_error *err)
{
	static const char *const reserved[] = {"store", "set", NULL};
	CLEANUP(recipe_freep) struct recipe *recipe = parse(text);
	int r = recipe_check(recipe, reserved, err);

	(void)len;
	assert_true(r == 0 || r == -VARVE_E_RECIPE);
	if (r == 0)
		err->text[0] = '\0';
}

#endif
