/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_parse.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe_dump.h"
#include "recipe/recipe_include.h"

static const char *const recipe_kinds[] = {"a recipe", NULL};

/* In the order in which sections are read; varve and include are the business of recipe_include.c.
 */
static const struct schema_key recipe_keys[] = {
	{"varve", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
	{"name", SCHEMA_VALUE, offsetof(struct recipe, name), 0, SCHEMA_ALL, NAMES_NONE, NULL},
	{"include", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
	{"registry", SCHEMA_VALUE, offsetof(struct recipe, registry), 0, 0, NAMES_NONE, NULL},
	{"options", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, parse_options},
	{"variables", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, parse_variables},
	{"requires", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, parse_requirements},
	{"sources", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, parse_sources},
	{"stages", SCHEMA_OWN, 0, 0, SCHEMA_ALL, NAMES_NONE, parse_stages},
	{"images", SCHEMA_OWN, 0, 0, SCHEMA_ALL, NAMES_NONE, parse_images},
	{"checks", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, parse_checks},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};

const struct schema schema_recipe = {recipe_keys, recipe_kinds};

#define RELEASE_ALL(items, count, release)                                                         \
	do {                                                                                       \
		for (size_t i_ = 0; i_ < (count); i_++)                                            \
			release(&(items)[i_]);                                                     \
		free(items);                                                                       \
	} while (0)

void recipe_free(struct recipe *recipe)
{
	if (!recipe)
		return;
	schema_release(&schema_recipe, recipe);
	pairs_release(&recipe->plain);
	RELEASE_ALL(recipe->options, recipe->option_count, option_release);
	RELEASE_ALL(recipe->tables, recipe->table_count, table_release);
	RELEASE_ALL(recipe->sources, recipe->source_count, recipe_source_release);
	RELEASE_ALL(recipe->stages, recipe->stage_count, stage_release);
	RELEASE_ALL(recipe->images, recipe->image_count, recipe_image_release);
	RELEASE_ALL(recipe->checks, recipe->check_count, check_release);
	RELEASE_ALL(recipe->requirements, recipe->requirement_count, requirement_release);
	RELEASE_ALL(recipe->files, recipe->file_count, free_ptr);
	free(recipe);
}

void recipe_freep(struct recipe **recipe)
{
	recipe_free(*recipe);
	*recipe = NULL;
}

/* NOLINTNEXTLINE(readability-function-size): a text, a name, a callback and two results */
int recipe_parse(const char *text, size_t len, const char *file, recipe_load load, void *cookie,
		 struct recipe **ret, struct varve_error *err)
{
	const struct schema_subject subject = {"the recipe", 0};
	CLEANUP(node_pool_release) struct node_pool pool = {NULL, 0};
	CLEANUP(recipe_freep) struct recipe *recipe = xcalloc(1, sizeof(*recipe));
	const struct include_input input = {load, cookie, recipe, &pool};
	struct node *root = NULL;
	int r;

	r = include_read(&input, text, len, file, &root, err);
	if (r == 0)
		r = schema_read(&schema_recipe, &subject, root, recipe, err);
	if (r < 0)
		return r;
	parse_parents(recipe);
	dump_digest(root, recipe->digest);
	*ret = steal_ptr(&recipe);
	return 0;
}
