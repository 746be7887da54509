/* SPDX-License-Identifier: Apache-2.0
 * options: and variables: */
#include "recipe/recipe_parse.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

static int read_type(const struct node *node, const struct schema_subject *subject, void *object,
		     struct varve_error *err);
static int read_minimum(const struct node *node, const struct schema_subject *subject, void *object,
			struct varve_error *err);
static int read_maximum(const struct node *node, const struct schema_subject *subject, void *object,
			struct varve_error *err);

static const char *const option_kinds[] = {"an option", NULL};

#define FIELD(name) offsetof(struct recipe_option, name)
static const struct schema_key option_keys[] = {
	{"type", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, read_type},
	{"choices", SCHEMA_VALUES, FIELD(choices), 0, 0, NAMES_NONE, NULL},
	{"default", SCHEMA_VALUE, FIELD(value), 0, 0, NAMES_NONE, NULL},
	{"required", SCHEMA_FLAG, FIELD(required), 0, 0, NAMES_NONE, NULL},
	{"minimum", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, read_minimum},
	{"maximum", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, read_maximum},
	{"keyed", SCHEMA_FLAG, FIELD(keyed), 0, 0, NAMES_NONE, NULL},
	{"help", SCHEMA_VALUE, FIELD(help), 0, 0, NAMES_IGNORE, NULL},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};
#undef FIELD

const struct schema schema_option = {option_keys, option_kinds};

static int read_type(const struct node *node, const struct schema_subject *subject, void *object,
		     struct varve_error *err)
{
	static const char *const names[] = {"string", "integer", "boolean", "choice", "jobs", NULL};
	struct recipe_option *option = object;
	CLEANUP(free_ptr) char *suggestion = NULL;
	int r = schema_want(node, NODE_SCALAR, "\"type\"", err);

	if (r < 0)
		return r;
	for (unsigned i = 0; names[i]; i++) {
		if (str_equal(node->text, names[i])) {
			option->type = (enum recipe_option_type)i;
			return 0;
		}
	}
	suggestion = suggest(node->text, names);
	r = recipe_error(&node->at, err, "unknown type \"%s\" of %s%s", node->text, subject->label,
			 suggestion);
	varve_error_hint(err, "types of an option: string, integer, boolean, choice, jobs");
	return r;
}

static int read_bound(const struct node *node, const char *key, int64_t *ret, bool *ret_has,
		      struct varve_error *err)
{
	struct recipe_value value = {NULL, node->at};
	int r = schema_want(node, NODE_SCALAR, key, err);

	if (r < 0)
		return r;
	value.text = node->text;
	*ret_has = true;
	return recipe_integer(&value, node->text, INT64_MIN, INT64_MAX, ret, err);
}

static int read_minimum(const struct node *node, const struct schema_subject *subject, void *object,
			struct varve_error *err)
{
	struct recipe_option *option = object;

	(void)subject;
	return read_bound(node, "\"minimum\"", &option->minimum, &option->has_minimum, err);
}

static int read_maximum(const struct node *node, const struct schema_subject *subject, void *object,
			struct varve_error *err)
{
	struct recipe_option *option = object;

	(void)subject;
	return read_bound(node, "\"maximum\"", &option->maximum, &option->has_maximum, err);
}

void option_release(struct recipe_option *option)
{
	value_release(&option->name);
	schema_release(&schema_option, option);
}

/* What keys of an option say together. */
static int settle_type(struct recipe_option *option, const struct node *map, const char *label,
		       struct varve_error *err)
{
	bool has_type = node_get(map, "type") != NULL;

	if (node_get(map, "choices")) {
		if (has_type && option->type != OPTION_STRING && option->type != OPTION_CHOICE)
			return recipe_error(&map->at, err,
					    "%s has choices, so its type is \"choice\"", label);
		option->type = OPTION_CHOICE;
	}
	if (option->type == OPTION_CHOICE && option->choices.count == 0)
		return recipe_error(&map->at, err, "%s of type choice lacks \"choices\"", label);
	if ((option->has_minimum || option->has_maximum) && option->type != OPTION_INTEGER)
		return recipe_error(&map->at, err,
				    "%s has a minimum or maximum; add \"type: integer\"", label);
	return 0;
}

int parse_options(const struct node *node, const struct schema_subject *subject, void *object,
		  struct varve_error *err)
{
	struct recipe *recipe = object;
	int r = schema_want(node, NODE_MAP, "\"options\"", err);

	(void)subject;
	for (size_t i = 0; r == 0 && i < node->count; i++) {
		const struct node_member *member = &node->members[i];
		CLEANUP(free_ptr) char *label = xasprintf("option \"%s\"", member->key->text);
		struct schema_subject option_subject = {label, 0};
		struct recipe_option *option;

		recipe->options = array_grow(recipe->options, recipe->option_count,
					     &recipe->option_alloc, sizeof(*recipe->options));
		option = &recipe->options[recipe->option_count++];
		schema_name(member->key, &option->name);
		option->keyed = true;
		r = schema_read(&schema_option, &option_subject, member->value, option, err);
		if (r == 0)
			r = settle_type(option, member->value, label, err);
	}
	return r;
}

static void row_release(struct recipe_row *row)
{
	value_release(&row->choice);
	pairs_release(&row->columns);
}

void table_release(struct recipe_table *table)
{
	value_release(&table->option);
	for (size_t i = 0; i < table->count; i++)
		row_release(&table->rows[i]);
	free(table->rows);
}

static int parse_table(const struct node_member *member, struct recipe_table *table,
		       struct varve_error *err)
{
	const struct node *rows = member->value;
	int r = 0;

	schema_name(member->key, &table->option);
	for (size_t i = 0; r == 0 && i < rows->count; i++) {
		CLEANUP(free_ptr)
		char *what = xasprintf("row \"%s\" of the variables \"%s\"",
				       rows->members[i].key->text, member->key->text);
		struct recipe_row *row;

		table->rows =
			array_grow(table->rows, table->count, &table->alloc, sizeof(*table->rows));
		row = &table->rows[table->count++];
		schema_name(rows->members[i].key, &row->choice);
		r = schema_pairs(rows->members[i].value, what, &row->columns, err);
	}
	return r;
}

static int parse_plain(const struct node_member *member, struct recipe_pairs *plain,
		       struct varve_error *err)
{
	CLEANUP(free_ptr) char *what = xasprintf("variable \"%s\"", member->key->text);
	struct recipe_pair *pair;

	plain->items = array_grow(plain->items, plain->count, &plain->alloc, sizeof(*plain->items));
	pair = &plain->items[plain->count++];
	schema_name(member->key, &pair->name);
	return schema_value(member->value, what, &pair->value, err);
}

int parse_variables(const struct node *node, const struct schema_subject *subject, void *object,
		    struct varve_error *err)
{
	struct recipe *recipe = object;
	int r = schema_want(node, NODE_MAP, "\"variables\"", err);

	(void)subject;
	for (size_t i = 0; r == 0 && i < node->count; i++) {
		const struct node_member *member = &node->members[i];

		if (member->value->type != NODE_MAP) {
			r = parse_plain(member, &recipe->plain, err);
			continue;
		}
		recipe->tables = array_grow(recipe->tables, recipe->table_count,
					    &recipe->table_alloc, sizeof(*recipe->tables));
		r = parse_table(member, &recipe->tables[recipe->table_count++], err);
	}
	return r;
}
