/* SPDX-License-Identifier: Apache-2.0
 * Options and variables. */
#include "recipe/recipe_check.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe_expand.h"
#include "recipe/recipe_grammar.h"
#include "recipe/recipe_schema.h"
#include "recipe/recipe_scope.h"
#include "recipe/recipe_template.h"

static int check_reserved(const struct recipe_option *option, const char *const *reserved,
			  struct varve_error *err)
{
	for (size_t i = 0; reserved && reserved[i]; i++)
		if (str_equal(option->name.text, reserved[i]))
			return recipe_error(&option->name.at, err,
					    "option \"%s\" collides with varve's own --%s; give it "
					    "another name",
					    option->name.text, reserved[i]);
	return 0;
}

static int check_default(const struct recipe_option *option, struct varve_error *err)
{
	const struct recipe_value *value = &option->value;
	struct varve_error why = {0};
	CLEANUP(free_ptr) char *settled = NULL;

	if (!value->text && !option->required)
		return recipe_error(&option->name.at, err,
				    "option \"%s\" needs a default, or \"required: true\"",
				    option->name.text);
	if (!value->text)
		return 0;
	if (option->required)
		return recipe_error(&value->at, err,
				    "option \"%s\" is required, so its default is never used",
				    option->name.text);
	if (template_is(value->text))
		return recipe_error(&value->at, err,
				    "the default of option \"%s\" is taken as it is; ${...} "
				    "belongs in variables",
				    option->name.text);
	if (option_settle(option, value->text, &settled, &why) < 0)
		return recipe_error(&value->at, err, "default of %s", why.text);
	return 0;
}

static int check_choices(const struct recipe_values *choices, struct varve_error *err)
{
	for (size_t i = 0; i < choices->count; i++)
		for (size_t k = 0; k < i; k++)
			if (str_equal(choices->items[i].text, choices->items[k].text))
				return recipe_error(&choices->items[i].at, err,
						    "the choice \"%s\" is given twice",
						    choices->items[i].text);
	return 0;
}

static int check_option(const struct recipe_option *option, const char *const *reserved,
			struct varve_error *err)
{
	int r = grammar_check(GRAMMAR_OPTION, &option->name, "the name of an option", err);

	if (r == 0)
		r = check_reserved(option, reserved, err);
	if (r == 0 && option->has_minimum && option->has_maximum &&
	    option->minimum > option->maximum)
		r = recipe_error(&option->name.at, err,
				 "option \"%s\" has a minimum above its maximum",
				 option->name.text);
	if (r == 0)
		r = check_choices(&option->choices, err);
	return r < 0 ? r : check_default(option, err);
}

int check_options(const struct recipe *recipe, const char *const *reserved, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < recipe->option_count; i++)
		r = check_option(&recipe->options[i], reserved, err);
	return r;
}

/* --- tables ------------------------------------------------------------------------------------
 */

static const struct recipe_value *find_pair(const struct recipe_pairs *pairs, size_t count,
					    const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(pairs->items[i].name.text, name))
			return &pairs->items[i].name;
	return NULL;
}

static int lacks_column(const struct recipe_table *table, const struct recipe_row *row,
			const struct recipe_row *other, const char *column, struct varve_error *err)
{
	return recipe_error(&row->choice.at, err,
			    "row \"%s\" of the variables \"%s\" lacks \"%s\", which row \"%s\" has",
			    row->choice.text, table->option.text, column, other->choice.text);
}

static int check_columns(const struct recipe_table *table, const struct recipe_row *row,
			 struct varve_error *err)
{
	const struct recipe_row *first = &table->rows[0];
	int r = 0;

	for (size_t i = 0; r == 0 && i < row->columns.count; i++) {
		const struct recipe_value *name = &row->columns.items[i].name;

		r = grammar_check(GRAMMAR_VARIABLE, name, "the name of a variable", err);
		if (r == 0 && !find_pair(&first->columns, first->columns.count, name->text))
			r = lacks_column(table, first, row, name->text, err);
	}
	for (size_t i = 0; r == 0 && i < first->columns.count; i++) {
		const char *name = first->columns.items[i].name.text;

		if (!find_pair(&row->columns, row->columns.count, name))
			r = lacks_column(table, row, first, name, err);
	}
	return r;
}

static int check_row_choice(const struct recipe_option *option, const struct recipe_row *row,
			    struct varve_error *err)
{
	CLEANUP(free_ptr)
	const char **names = xcalloc(option->choices.count + 3, sizeof(const char *));
	CLEANUP(free_ptr) char *suggestion = NULL;

	names[0] = "true";
	names[1] = "false";
	for (size_t i = 0; i < option->choices.count; i++)
		names[i] = option->choices.items[i].text;
	for (size_t i = 0; names[i]; i++)
		if (str_equal(names[i], row->choice.text))
			return 0;
	suggestion = suggest(row->choice.text, names);
	return recipe_error(&row->choice.at, err, "\"%s\" is no choice of option \"%s\"%s",
			    row->choice.text, option->name.text, suggestion);
}

static int check_has_row(const struct recipe_table *table, const char *choice,
			 struct varve_error *err)
{
	for (size_t i = 0; i < table->count; i++)
		if (str_equal(table->rows[i].choice.text, choice))
			return 0;
	return recipe_error(&table->option.at, err, "the variables \"%s\" lack a row for \"%s\"",
			    table->option.text, choice);
}

static int check_complete(const struct recipe_option *option, const struct recipe_table *table,
			  struct varve_error *err)
{
	int r = 0;

	if (option->type == OPTION_BOOLEAN) {
		r = check_has_row(table, "true", err);
		return r < 0 ? r : check_has_row(table, "false", err);
	}
	for (size_t i = 0; r == 0 && i < option->choices.count; i++)
		r = check_has_row(table, option->choices.items[i].text, err);
	return r;
}

static int unknown_option(const struct recipe *recipe, const struct recipe_table *table,
			  struct varve_error *err)
{
	CLEANUP(free_ptr)
	const char **names = xcalloc(recipe->option_count + 1, sizeof(const char *));
	CLEANUP(free_ptr) char *suggestion = NULL;

	for (size_t i = 0; i < recipe->option_count; i++)
		names[i] = recipe->options[i].name.text;
	suggestion = suggest(table->option.text, names);
	return recipe_error(&table->option.at, err,
			    "the variables \"%s\" are a table, but there is no option \"%s\"%s",
			    table->option.text, table->option.text, suggestion);
}

static int check_table(const struct recipe *recipe, const struct recipe_table *table,
		       struct varve_error *err)
{
	const struct recipe_option *option = recipe_find_option(recipe, table->option.text);
	int r = 0;

	if (!option)
		return unknown_option(recipe, table, err);
	if (option->type != OPTION_CHOICE && option->type != OPTION_BOOLEAN)
		return recipe_error(&table->option.at, err,
				    "a table of variables needs an option with choices, and option "
				    "\"%s\" has none",
				    option->name.text);
	if (!option->keyed)
		return expand_unkeyed(&table->option.at, option->name.text, err);
	for (size_t i = 0; r == 0 && i < table->count; i++) {
		r = check_row_choice(option, &table->rows[i], err);
		if (r == 0)
			r = check_columns(table, &table->rows[i], err);
	}
	return r < 0 ? r : check_complete(option, table, err);
}

/* --- values of variables -----------------------------------------------------------------------
 */

/* Where a value stands in the order of evaluation. */
struct position {
	enum name_kind kind;
	size_t index; /* of the table or the plain variable */
	const struct recipe_row *row; /* NAME_COLUMN */
	size_t column;
};

static bool is_before(const struct name *name, const struct position *position)
{
	if (name->kind != position->kind)
		return name->kind < position->kind;
	if (name->kind == NAME_COLUMN && name->index == position->index)
		return find_pair(&position->row->columns, position->column, name->text) != NULL;
	return name->index < position->index;
}

static int check_order(const struct check *check, const struct recipe_value *value,
		       const struct position *position, struct varve_error *err)
{
	struct template_part part;
	size_t offset = 0;
	int r;

	while ((r = template_next(value, &offset, &part, err)) > 0) {
		const struct name *name = part.text ? NULL : names_find(&check->names, part.name);

		if (name && !is_before(name, position))
			return recipe_error(
				&part.at, err,
				"\"${%s}\" has no value yet here: tables of variables "
				"come before plain variables, each in the order written",
				part.name);
	}
	return r;
}

static int check_variable(struct check *check, const struct recipe_value *value,
			  const struct position *position, struct varve_error *err)
{
	int r = check_template(check, value, NAMES_OPTIONS, err);

	return r < 0 ? r : check_order(check, value, position, err);
}

static int check_row(struct check *check, size_t table, const struct recipe_row *row,
		     struct varve_error *err)
{
	struct position position = {NAME_COLUMN, table, row, 0};
	int r = 0;

	for (; r == 0 && position.column < row->columns.count; position.column++)
		r = check_variable(check, &row->columns.items[position.column].value, &position,
				   err);
	return r;
}

int check_variables(struct check *check, struct varve_error *err)
{
	const struct recipe *recipe = check->recipe;
	int r = 0;

	for (size_t i = 0; r == 0 && i < recipe->table_count; i++)
		r = check_table(recipe, &recipe->tables[i], err);
	for (size_t i = 0; r == 0 && i < recipe->plain.count; i++)
		r = grammar_check(GRAMMAR_VARIABLE, &recipe->plain.items[i].name,
				  "the name of a variable", err);
	if (r == 0)
		r = names_build(recipe, &check->names, err);
	for (size_t i = 0; r == 0 && i < recipe->table_count; i++)
		for (size_t k = 0; r == 0 && k < recipe->tables[i].count; k++)
			r = check_row(check, i, &recipe->tables[i].rows[k], err);
	for (size_t i = 0; r == 0 && i < recipe->plain.count; i++) {
		const struct position position = {NAME_PLAIN, i, NULL, 0};

		r = check_variable(check, &recipe->plain.items[i].value, &position, err);
	}
	return r;
}
