/* SPDX-License-Identifier: Apache-2.0
 * Stages: what their steps refer to. */
#include "recipe/recipe_check.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe_schema.h"

static int no_stage(const struct check *check, const struct recipe_value *value, const char *name,
		    struct varve_error *err)
{
	const struct recipe *recipe = check->recipe;
	CLEANUP(free_ptr)
	const char **names = xcalloc(recipe->stage_count + 1, sizeof(const char *));
	CLEANUP(free_ptr) char *suggestion = NULL;

	if (recipe_find_source(recipe, name))
		return recipe_error(&value->at, err, "\"%s\" is a source; a stage is wanted here",
				    name);
	for (size_t i = 0; i < recipe->stage_count; i++)
		names[i] = recipe->stages[i].name.text;
	suggestion = suggest(name, names);
	return recipe_error(&value->at, err, "there is no stage \"%s\"%s", name, suggestion);
}

static int no_source(const struct check *check, const struct recipe_value *value,
		     struct varve_error *err)
{
	const struct recipe *recipe = check->recipe;
	CLEANUP(free_ptr)
	const char **names = xcalloc(recipe->source_count + 1, sizeof(const char *));
	CLEANUP(free_ptr) char *suggestion = NULL;

	if (recipe_find_stage(recipe, value->text))
		return recipe_error(&value->at, err,
				    "\"%s\" is a stage; a path in it is written \"%s:/PATH\"",
				    value->text, value->text);
	for (size_t i = 0; i < recipe->source_count; i++)
		names[i] = recipe->sources[i].name.text;
	suggestion = suggest(value->text, names);
	return recipe_error(&value->at, err, "there is no source \"%s\"%s", value->text,
			    suggestion);
}

static int add_edge(struct check *check, size_t from, const struct recipe_value *value,
		    const char *name, struct varve_error *err)
{
	const struct recipe_stage *to = recipe_find_stage(check->recipe, name);
	struct edges *edges = &check->edges[from];

	if (!to)
		return no_stage(check, value, name, err);
	edges->items = array_grow(edges->items, edges->count, &edges->alloc, sizeof(*edges->items));
	edges->items[edges->count++] =
		(struct edge){(size_t)(to - check->recipe->stages), value->at};
	return 0;
}

/* NULL with an error: there is no such source. */
static const struct recipe_source *use_source(struct check *check, const struct recipe_value *value,
					      struct varve_error *err)
{
	const struct recipe_source *source = recipe_find_source(check->recipe, value->text);

	if (source)
		check->source_used[source - check->recipe->sources] = true;
	else
		(void)no_source(check, value, err);
	return source;
}

/* STAGE:/PATH, the colon being at name_len. */
static int use_stage(struct check *check, size_t stage, const struct recipe_value *value,
		     size_t name_len, struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = xstrndup(value->text, name_len);

	if (value->text[name_len + 1] != '/')
		return recipe_error(&value->at, err,
				    "\"%s\": a path in a stage is written STAGE:/PATH",
				    value->text);
	return add_edge(check, stage, value, name, err);
}

/* SOURCE or STAGE:/PATH. */
static int use_reference(struct check *check, size_t stage, const struct recipe_value *value,
			 bool debian, struct varve_error *err)
{
	const struct recipe_source *source;
	size_t name_len = strcspn(value->text, ":");

	if (strcspn(value->text, "$") < name_len)
		return recipe_error(&value->at, err,
				    "\"%s\": sources and stages are named as they are, without "
				    "${...}; an \"if\" can choose between steps",
				    value->text);
	if (value->text[name_len] == ':')
		return use_stage(check, stage, value, name_len, err);
	source = use_source(check, value, err);
	if (!source)
		return -VARVE_E_RECIPE;
	if (source->kind == SOURCE_IMAGE)
		return recipe_error(&value->at, err,
				    "\"%s\" is an image: a stage stands on it (\"from: %s\"), and "
				    "paths are copied from that stage",
				    value->text, value->text);
	if (source->kind == SOURCE_DEBIAN && !debian)
		return recipe_error(&value->at, err,
				    "\"%s\" is a debian source: it is installed, not copied",
				    value->text);
	return 0;
}

static int use_install(struct check *check, const struct recipe_step *step, struct varve_error *err)
{
	const struct recipe_source *source = use_source(check, &step->argument, err);

	if (!source)
		return -VARVE_E_RECIPE;
	if (source->kind != SOURCE_DEBIAN && source->kind != SOURCE_PYTHON)
		return recipe_error(&step->argument.at, err,
				    "\"%s\" is no source of packages; it can be copied or mounted",
				    step->argument.text);
	return check_install(step, source->kind, err);
}

static int check_references(struct check *check, size_t stage, const struct recipe_step *step,
			    struct varve_error *err)
{
	int r = 0;

	if (step->action == ACTION_INSTALL)
		r = use_install(check, step, err);
	if (step->action == ACTION_COPY)
		r = use_reference(check, stage, &step->argument, false, err);
	for (size_t i = 0; r == 0 && i < step->mounts.count; i++)
		r = use_reference(check, stage, &step->mounts.items[i].value, true, err);
	return r;
}

static int check_unique(const struct recipe_stage *stage, size_t index, struct varve_error *err)
{
	const struct recipe_value *name = &stage->steps[index].name;

	for (size_t i = 0; i < index; i++)
		if (str_equal(stage->steps[i].name.text, name->text))
			return recipe_error(
				&name->at, err,
				"stage \"%s\" has two steps \"%s\"; the first one is at "
				"line %u",
				stage->name.text, name->text, stage->steps[i].name.at.line);
	return 0;
}

/* What a stage stands on: another stage, or an image source. */
static int check_from(struct check *check, size_t index, const struct recipe_value *from,
		      struct varve_error *err)
{
	const struct recipe_source *source = recipe_find_source(check->recipe, from->text);

	if (recipe_find_stage(check->recipe, from->text) || !source || source->kind != SOURCE_IMAGE)
		return add_edge(check, index, from, from->text, err);
	check->source_used[source - check->recipe->sources] = true;
	return 0;
}

static int check_stage(struct check *check, size_t index, struct varve_error *err)
{
	const struct recipe_stage *stage = &check->recipe->stages[index];
	int r = check_environment(&stage->environment, NULL, err);

	if (r == 0 && !stage->from.text && stage->count == 0)
		r = recipe_error(&stage->name.at, err,
				 "stage \"%s\" has neither \"from\" nor steps", stage->name.text);
	if (r == 0 && stage->from.text)
		r = check_from(check, index, &stage->from, err);
	for (size_t i = 0; r == 0 && i < stage->count; i++) {
		r = check_step(&stage->steps[i], err);
		if (r == 0)
			r = check_unique(stage, i, err);
		if (r == 0)
			r = check_references(check, index, &stage->steps[i], err);
	}
	return r;
}

int check_stages(struct check *check, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < check->recipe->stage_count; i++)
		r = check_stage(check, i, err);
	return r;
}
