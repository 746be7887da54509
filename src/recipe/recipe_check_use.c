/* SPDX-License-Identifier: Apache-2.0
 * Templates: that what they name exists and may be named there; and what nothing names. */
#include "recipe/recipe_check.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe_expand.h"
#include "recipe/recipe_schema.h"
#include "recipe/recipe_template.h"
#include "recipe/recipe_walk.h"

static int check_env(const struct template_part *part, unsigned allowed, struct varve_error *err)
{
	if (!(allowed & NAMES_ENV))
		return recipe_error(&part->at, err,
				    "\"${%s}\" cannot be used here: the environment below is known "
				    "in stages, steps and images' configs only",
				    part->name);
	if (part->name[strlen("env.")] == '\0')
		return recipe_error(&part->at, err, "\"${env.}\" lacks the name of a variable");
	return 0;
}

static int check_fact(struct check *check, const struct template_part *part, unsigned allowed,
		      struct varve_error *err)
{
	const struct recipe *recipe = check->recipe;
	CLEANUP(free_ptr) char *owner = xstrndup(part->name, template_owner(part->name));
	CLEANUP(free_ptr)
	const char **names = xcalloc(recipe->source_count + 1, sizeof(const char *));
	CLEANUP(free_ptr) char *suggestion = NULL;

	for (size_t i = 0; i < recipe->source_count; i++) {
		names[i] = recipe->sources[i].name.text;
		if (!str_equal(names[i], owner))
			continue;
		check->source_used[i] = true;
		if (allowed & NAMES_FACTS)
			return 0;
		return recipe_error(&part->at, err,
				    "\"${%s}\" cannot be used here: facts of sources are not known "
				    "before sources are resolved",
				    part->name);
	}
	suggestion = suggest(owner, names);
	return recipe_error(&part->at, err, "\"${%s}\": there is no source \"%s\"%s", part->name,
			    owner, suggestion);
}

static int unknown_name(const struct check *check, const struct template_part *part,
			struct varve_error *err)
{
	CLEANUP(free_ptr) char *suggestion = names_suggest(&check->names, part->name);
	int r = recipe_error(&part->at, err, "\"${%s}\" names neither an option nor a variable%s",
			     part->name, suggestion);

	if (suggestion[0] == '\0')
		varve_error_hint(err,
				 "a literal \"${%s}\", as in a shell script, is written "
				 "\"$${%s}\"",
				 part->name, part->name);
	return r;
}

static int check_name(struct check *check, const struct template_part *part, unsigned allowed,
		      struct varve_error *err)
{
	struct name *name = names_find(&check->names, part->name);

	if (!name && str_starts(part->name, "env."))
		return check_env(part, allowed, err);
	if (!name && template_owner(part->name) > 0)
		return check_fact(check, part, allowed, err);
	if (!name)
		return unknown_name(check, part, err);
	name->used = true;
	if (name->kind == NAME_OPTION && !check->recipe->options[name->index].keyed &&
	    !(allowed & NAMES_UNKEYED))
		return expand_unkeyed(&part->at, part->name, err);
	return 0;
}

int check_template(struct check *check, const struct recipe_value *value, unsigned allowed,
		   struct varve_error *err)
{
	struct template_part part;
	size_t offset = 0;
	int r;

	if (allowed == NAMES_NONE && template_is(value->text))
		return recipe_error(
			&value->at, err,
			"\"%s\": ${...} is not possible in a name that the recipe itself "
			"uses",
			value->text);
	while ((r = template_next(value, &offset, &part, err)) > 0) {
		r = part.text ? 0 : check_name(check, &part, allowed, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int visit(void *cookie, const struct walk_site *site, struct varve_error *err)
{
	CLEANUP(condition_release) struct condition condition = {0};

	if (str_equal(site->key, "if") || str_equal(site->key, "that")) {
		int r = condition_read(site->value, &condition, err);

		if (r < 0)
			return r;
	}
	return check_template(cookie, site->value, site->names, err);
}

/* A table is used when one of its columns is: a recipe need not name each. Its option is, then. */
static void use_tables(struct check *check)
{
	for (size_t i = 0; i < check->names.count; i++) {
		const struct name *column = &check->names.items[i];
		struct name *option;

		if (column->kind != NAME_COLUMN || !column->used)
			continue;
		option =
			names_find(&check->names, check->recipe->tables[column->index].option.text);
		if (option)
			option->used = true;
	}
}

static bool table_is_used(const struct check *check, size_t table)
{
	for (size_t i = 0; i < check->names.count; i++) {
		const struct name *name = &check->names.items[i];

		if (name->kind == NAME_COLUMN && name->index == table && name->used)
			return true;
	}
	return false;
}

static int check_unused(const struct check *check, struct varve_error *err)
{
	const struct recipe *recipe = check->recipe;

	for (size_t i = 0; i < recipe->source_count; i++)
		if (!check->source_used[i])
			return recipe_error(&recipe->sources[i].name.at, err,
					    "no step uses source \"%s\"",
					    recipe->sources[i].name.text);
	for (size_t i = 0; i < recipe->table_count; i++)
		if (!table_is_used(check, i))
			return recipe_error(&recipe->tables[i].option.at, err,
					    "nothing uses the variables \"%s\"",
					    recipe->tables[i].option.text);
	for (size_t i = 0; i < check->names.count; i++) {
		const struct name *name = &check->names.items[i];

		if (!name->used && name->kind != NAME_COLUMN)
			return recipe_error(&name->at, err, "nothing uses the %s \"%s\"",
					    name_kind_text(name->kind), name->text);
	}
	return 0;
}

int check_uses(struct check *check, struct varve_error *err)
{
	int r = walk_values(check->recipe, visit, check, err);

	if (r < 0)
		return r;
	use_tables(check);
	return check_unused(check, err);
}
