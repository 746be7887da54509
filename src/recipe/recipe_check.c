/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_check.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe_grammar.h"

static void check_release(struct check *check)
{
	names_release(&check->names);
	free(check->source_used);
	for (size_t i = 0; check->edges && i < check->recipe->stage_count; i++)
		free(check->edges[i].items);
	free(check->edges);
}

static int check_source_name(const struct recipe_source *source, struct varve_error *err)
{
	const struct recipe_value *name = &source->name;
	bool is_image = source->kind == SOURCE_IMAGE && recipe_is_image(name->text);

	if (str_equal(name->text, "env"))
		return recipe_error(&name->at, err,
				    "a source cannot be called \"env\": ${env.NAME} is "
				    "the environment");
	/* A stage may name its image by itself. */
	return grammar_check(is_image ? GRAMMAR_IMAGE : GRAMMAR_SOURCE, name,
			     "the name of a source", err);
}

static int check_names(const struct recipe *recipe, struct varve_error *err)
{
	int r = grammar_check(GRAMMAR_NAME, &recipe->name, "the name of a recipe", err);

	if (r == 0)
		r = grammar_check_literal(GRAMMAR_REGISTRY, &recipe->registry, "a registry", err);
	for (size_t i = 0; r == 0 && i < recipe->source_count; i++)
		r = check_source_name(&recipe->sources[i], err);
	for (size_t i = 0; r == 0 && i < recipe->stage_count; i++)
		r = grammar_check(GRAMMAR_NAME, &recipe->stages[i].name, "the name of a stage",
				  err);
	for (size_t i = 0; r == 0 && i < recipe->image_count; i++)
		r = grammar_check(GRAMMAR_NAME, &recipe->images[i].name_in_recipe,
				  "the name of an image", err);
	return r;
}

int check_environment(const struct recipe_pairs *pairs, const struct recipe_pairs *other,
		      struct varve_error *err)
{
	for (size_t i = 0; i < pairs->count; i++) {
		const struct recipe_value *name = &pairs->items[i].name;
		int r = grammar_check(GRAMMAR_ENVIRONMENT, name,
				      "the name of an environment variable", err);

		if (r < 0)
			return r;
		for (size_t k = 0; other && k < other->count; k++)
			if (str_equal(other->items[k].name.text, name->text))
				return recipe_error(&name->at, err,
						    "\"%s\" is in both environment and "
						    "unkeyed-environment",
						    name->text);
	}
	return 0;
}

int recipe_check(const struct recipe *recipe, const char *const *reserved_options,
		 struct varve_error *err)
{
	CLEANUP(check_release) struct check check = {.recipe = recipe};
	int r;

	check.source_used = xcalloc(recipe->source_count + 1, sizeof(*check.source_used));
	check.edges = xcalloc(recipe->stage_count + 1, sizeof(*check.edges));
	r = check_names(recipe, err);
	if (r == 0)
		r = check_options(recipe, reserved_options, err);
	if (r == 0)
		r = check_variables(&check, err);
	for (size_t i = 0; r == 0 && i < recipe->source_count; i++)
		r = check_source(&recipe->sources[i], err);
	for (size_t i = 0; r == 0 && i < recipe->source_count; i++)
		r = check_beside(recipe, i, err);
	if (r == 0)
		r = check_stages(&check, err);
	if (r == 0)
		r = check_images(recipe, err);
	if (r == 0)
		r = check_graph(&check, err);
	return r < 0 ? r : check_uses(&check, err);
}
