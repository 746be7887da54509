/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_walk.h"

struct walk {
	walk_visit visit;
	void *cookie;
	struct varve_error *err;
};

static int walk_value(const struct walk *walk, const struct schema_key *key,
		      const struct recipe_value *value)
{
	const struct walk_site site = {value, key->name, key->names};

	if (!value->text || (key->names & NAMES_IGNORE))
		return 0;
	return walk->visit(walk->cookie, &site, walk->err);
}

static int walk_list(const struct walk *walk, const struct schema_key *key,
		     const struct recipe_values *values)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < values->count; i++)
		r = walk_value(walk, key, &values->items[i]);
	return r;
}

/* Names on the left side are never expanded. */
static int walk_pairs(const struct walk *walk, const struct schema_key *key,
		      const struct recipe_pairs *pairs)
{
	struct schema_key left = *key;
	int r = 0;

	left.names = NAMES_NONE;
	for (size_t i = 0; r == 0 && i < pairs->count; i++) {
		r = walk_value(walk, &left, &pairs->items[i].name);
		if (r == 0)
			r = walk_value(walk, key, &pairs->items[i].value);
	}
	return r;
}

static int walk_object(const struct walk *walk, const struct schema *schema, const void *object)
{
	int r = 0;

	for (const struct schema_key *key = schema->keys; r == 0 && key->name; key++) {
		const void *field = (const char *)object + key->offset;

		if (key->type == SCHEMA_VALUE)
			r = walk_value(walk, key, field);
		else if (key->type == SCHEMA_VALUES)
			r = walk_list(walk, key, field);
		else if (key->type == SCHEMA_PAIRS)
			r = walk_pairs(walk, key, field);
	}
	return r;
}

static int walk_step(const struct walk *walk, const struct recipe_step *step)
{
	static const struct schema_key actions[] = {
		{"install", SCHEMA_VALUE, 0, 0, 0, NAMES_NONE, NULL},
		{"copy", SCHEMA_VALUE, 0, 0, 0, NAMES_ANY, NULL},
		{"run", SCHEMA_VALUE, 0, 0, 0, NAMES_ANY, NULL},
	};
	static const struct schema_key split = {"split", SCHEMA_VALUE,  0,   0,
						0,       NAMES_OPTIONS, NULL};
	int r = walk_value(walk, &actions[step->action], &step->argument);

	if (r == 0)
		r = walk_list(walk, &actions[step->action], &step->command);
	if (r == 0)
		r = walk_object(walk, &schema_step, step);
	if (r == 0)
		r = walk_value(walk, &split, &step->split.word);
	if (r == 0)
		r = walk_object(walk, &schema_split, &step->split);
	for (size_t i = 0; r == 0 && i < step->ownership_count; i++)
		r = walk_object(walk, &schema_ownership, &step->ownership[i]);
	return r;
}

static int walk_stage(const struct walk *walk, const struct recipe_stage *stage)
{
	int r = walk_object(walk, &schema_stage, stage);

	for (size_t i = 0; r == 0 && i < stage->count; i++)
		r = walk_step(walk, &stage->steps[i]);
	return r;
}

static int walk_image(const struct walk *walk, const struct recipe_image *image)
{
	int r = walk_object(walk, &schema_image, image);

	return r < 0 ? r : walk_object(walk, &schema_config, image);
}

static int walk_source(const struct walk *walk, const struct recipe_source *source)
{
	int r = walk_object(walk, &schema_source, source);

	for (size_t i = 0; r == 0 && i < source->repository_count; i++)
		r = walk_object(walk, &schema_repository, &source->repositories[i]);
	return r;
}

int walk_values(const struct recipe *recipe, walk_visit visit, void *cookie,
		struct varve_error *err)
{
	const struct walk walk = {visit, cookie, err};
	int r = walk_object(&walk, &schema_recipe, recipe);

	for (size_t i = 0; r == 0 && i < recipe->requirement_count; i++)
		r = walk_object(&walk, &schema_requirement, &recipe->requirements[i]);
	for (size_t i = 0; r == 0 && i < recipe->source_count; i++)
		r = walk_source(&walk, &recipe->sources[i]);
	for (size_t i = 0; r == 0 && i < recipe->stage_count; i++)
		r = walk_stage(&walk, &recipe->stages[i]);
	for (size_t i = 0; r == 0 && i < recipe->image_count; i++)
		r = walk_image(&walk, &recipe->images[i]);
	for (size_t i = 0; r == 0 && i < recipe->check_count; i++)
		r = walk_object(&walk, &schema_check, &recipe->checks[i]);
	return r;
}
