/* SPDX-License-Identifier: Apache-2.0
 * Images and checks. */
#include "recipe/recipe_check.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe_grammar.h"
#include "recipe/recipe_schema.h"

static int check_stage_of(const struct recipe *recipe, const struct recipe_image *image,
			  struct varve_error *err)
{
	CLEANUP(free_ptr)
	const char **names = xcalloc(recipe->stage_count + 1, sizeof(const char *));
	CLEANUP(free_ptr) char *suggestion = NULL;

	for (size_t i = 0; i < recipe->stage_count; i++) {
		names[i] = recipe->stages[i].name.text;
		if (str_equal(names[i], image->stage.text))
			return 0;
	}
	suggestion = suggest(image->stage.text, names);
	return recipe_error(&image->stage.at, err, "there is no stage \"%s\"%s", image->stage.text,
			    suggestion);
}

static int check_list(enum grammar grammar, const struct recipe_values *values, const char *what,
		      struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < values->count; i++)
		r = grammar_check_literal(grammar, &values->items[i], what, err);
	return r;
}

static int check_config(const struct recipe_image *image, struct varve_error *err)
{
	int r = check_environment(&image->environment, NULL, err);

	for (size_t i = 0; r == 0 && i < image->labels.count; i++)
		r = grammar_check(GRAMMAR_LABEL, &image->labels.items[i].name,
				  "the name of a label", err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_ABSOLUTE, &image->workdir, "a working directory",
					  err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_WORD, &image->user, "a user", err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_WORD, &image->stop_signal, "a signal", err);
	if (r == 0)
		r = check_list(GRAMMAR_PORT, &image->ports, "a port", err);
	if (r == 0)
		r = check_list(GRAMMAR_ABSOLUTE, &image->volumes, "a volume", err);
	return r;
}

/* Two images under one name: the second would silently replace the first. */
static int check_unique(const struct recipe *recipe, size_t index, struct varve_error *err)
{
	const struct recipe_image *image = &recipe->images[index];

	for (size_t i = 0; i < index; i++)
		if (!image->condition.text && !recipe->images[i].condition.text &&
		    str_equal(recipe->images[i].name.text, image->name.text))
			return recipe_error(
				&image->name.at, err, "images \"%s\" and \"%s\" have the same name",
				recipe->images[i].name_in_recipe.text, image->name_in_recipe.text);
	return 0;
}

static int check_image(const struct recipe *recipe, size_t index, struct varve_error *err)
{
	const struct recipe_image *image = &recipe->images[index];
	int r = check_stage_of(recipe, image, err);

	if (r == 0)
		r = grammar_check_literal(GRAMMAR_WORD, &image->name, "the name of an image", err);
	if (r == 0)
		r = check_unique(recipe, index, err);
	return r < 0 ? r : check_config(image, err);
}

static int check_target(const struct recipe *recipe, const struct recipe_value *image,
			struct varve_error *err)
{
	CLEANUP(free_ptr)
	const char **names = xcalloc(recipe->image_count + 1, sizeof(const char *));
	CLEANUP(free_ptr) char *suggestion = NULL;

	if (!image->text)
		return 0;
	for (size_t i = 0; i < recipe->image_count; i++) {
		names[i] = recipe->images[i].name_in_recipe.text;
		if (str_equal(names[i], image->text))
			return 0;
	}
	suggestion = suggest(image->text, names);
	return recipe_error(&image->at, err, "there is no image \"%s\"%s", image->text, suggestion);
}

static int check_check(const struct recipe *recipe, size_t index, struct varve_error *err)
{
	const struct recipe_check *check = &recipe->checks[index];
	int r = grammar_check(GRAMMAR_LABEL, &check->name, "the name of a check", err);

	if (r == 0)
		r = grammar_check(GRAMMAR_LABEL, &check->run, "what a check runs", err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_WORD, &check->user, "a user", err);
	for (size_t i = 0; r == 0 && i < index; i++)
		if (str_equal(recipe->checks[i].name.text, check->name.text))
			r = recipe_error(&check->name.at, err, "two checks have the name \"%s\"",
					 check->name.text);
	return r < 0 ? r : check_target(recipe, &check->image, err);
}

int check_images(const struct recipe *recipe, struct varve_error *err)
{
	int r = 0;

	if (recipe->image_count == 0)
		return recipe_error(&recipe->name.at, err, "the recipe makes no image");
	for (size_t i = 0; r == 0 && i < recipe->image_count; i++)
		r = check_image(recipe, i, err);
	for (size_t i = 0; r == 0 && i < recipe->check_count; i++)
		r = check_check(recipe, i, err);
	return r;
}
