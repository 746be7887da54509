/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_scope.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe_schema.h"

enum { SCOPE_LIMIT = 16 << 20 }; /* bytes of all values */

void recipe_scope_free(struct recipe_scope *scope)
{
	if (!scope)
		return;
	for (size_t i = 0; i < scope->count; i++) {
		free(scope->items[i].name);
		free(scope->items[i].value);
	}
	free(scope->items);
	free(scope);
}

void recipe_scope_freep(struct recipe_scope **scope)
{
	recipe_scope_free(*scope);
	*scope = NULL;
}

/* Where name is, or would be put. */
static size_t lower_bound(const struct recipe_scope *scope, const char *name)
{
	size_t low = 0, high = scope->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(scope->items[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct scope_entry *scope_find(const struct recipe_scope *scope, const char *name)
{
	size_t i = lower_bound(scope, name);

	return i < scope->count && str_equal(scope->items[i].name, name) ? &scope->items[i] : NULL;
}

const char *recipe_scope_get(const struct recipe_scope *scope, const char *name)
{
	const struct scope_entry *entry = scope_find(scope, name);

	return entry ? entry->value : NULL;
}

const char **scope_names(const struct recipe_scope *scope)
{
	const char **names = xcalloc(scope->count + 1, sizeof(const char *));

	for (size_t i = 0; i < scope->count; i++)
		names[i] = scope->items[i].name;
	return names;
}

static int scope_put(struct recipe_scope *scope, const struct recipe_value *name, char *take_value,
		     bool unkeyed, struct varve_error *err)
{
	CLEANUP(free_ptr) char *value = take_value;
	size_t i = lower_bound(scope, name->text);

	if (i < scope->count && str_equal(scope->items[i].name, name->text))
		return recipe_error(&name->at, err, "the name \"%s\" is given twice", name->text);
	scope->size += strlen(value);
	if (scope->size > SCOPE_LIMIT)
		return recipe_error(&name->at, err,
				    "the values of variables are larger than %d bytes",
				    SCOPE_LIMIT);
	scope->items = array_grow(scope->items, scope->count, &scope->alloc, sizeof(*scope->items));
	memmove(&scope->items[i + 1], &scope->items[i], (scope->count - i) * sizeof(*scope->items));
	scope->items[i] = (struct scope_entry){xstrdup(name->text), steal_ptr(&value), unkeyed};
	scope->count++;
	return 0;
}

static int unknown_setting(const struct recipe *recipe, const char *name, struct varve_error *err)
{
	CLEANUP(free_ptr)
	const char **names = xcalloc(recipe->option_count + 1, sizeof(const char *));
	CLEANUP(buf_release) struct buf list = BUF_INIT;
	CLEANUP(free_ptr) char *suggestion = NULL;
	int r;

	for (size_t i = 0; i < recipe->option_count; i++) {
		names[i] = recipe->options[i].name.text;
		buf_addf(&list, "%s%s", i ? ", " : "", names[i]);
	}
	suggestion = suggest(name, names);
	r = varve_error_set(err, -VARVE_E_USAGE, "recipe \"%s\" has no option \"%s\"%s",
			    recipe->name.text, name, suggestion);
	if (list.len > 0)
		varve_error_hint(err, "its options: %s", buf_text(&list));
	else
		varve_error_hint(err, "it has no options");
	return r;
}

/* Splits "NAME=VALUE"; the name must be an option. */
static int read_setting(const struct recipe *recipe, const char *setting,
			const struct recipe_option **ret, const char **ret_value,
			struct varve_error *err)
{
	const char *equals = strchr(setting, '=');
	CLEANUP(free_ptr) char *name = NULL;

	if (!equals)
		return varve_error_set(err, -VARVE_E_USAGE, "\"%s\" is not NAME=VALUE", setting);
	name = xstrndup(setting, (size_t)(equals - setting));
	*ret = recipe_find_option(recipe, name);
	if (!*ret)
		return unknown_setting(recipe, name, err);
	*ret_value = equals + 1;
	return 0;
}

/* Chosen values in the order of the recipe's options; NULL: not set. */
static int read_settings(const struct recipe *recipe, const struct strv *settings,
			 const char **values, struct varve_error *err)
{
	for (size_t i = 0; settings && i < settings->count; i++) {
		const struct recipe_option *option = NULL;
		const char *value = NULL;
		int r = read_setting(recipe, settings->items[i], &option, &value, err);

		if (r < 0)
			return r;
		values[option - recipe->options] = value;
	}
	return 0;
}

static int check_required(const struct recipe *recipe, const char *const *values,
			  struct varve_error *err)
{
	CLEANUP(buf_release) struct buf missing = BUF_INIT;

	for (size_t i = 0; i < recipe->option_count; i++) {
		const struct recipe_option *option = &recipe->options[i];

		if (values[i] || option->value.text)
			continue;
		buf_addf(&missing, "\n  --%s VALUE   ", option->name.text);
		option_add_help(option, &missing);
	}
	if (missing.len == 0)
		return 0;
	return varve_error_set(err, -VARVE_E_USAGE, "recipe \"%s\" needs to be told:%s",
			       recipe->name.text, buf_text(&missing));
}

static int put_options(const struct recipe *recipe, const struct strv *settings,
		       struct recipe_scope *scope, struct varve_error *err)
{
	CLEANUP(free_ptr)
	const char **values = xcalloc(recipe->option_count + 1, sizeof(const char *));
	int r;

	r = read_settings(recipe, settings, values, err);
	if (r == 0)
		r = check_required(recipe, values, err);
	for (size_t i = 0; r == 0 && i < recipe->option_count; i++) {
		const struct recipe_option *option = &recipe->options[i];
		char *value = NULL;

		r = option_settle(option, values[i] ? values[i] : option->value.text, &value, err);
		if (r == 0)
			r = scope_put(scope, &option->name, value, !option->keyed, err);
	}
	return r;
}

static int put_pairs(const struct recipe_pairs *pairs, struct recipe_scope *scope,
		     struct varve_error *err)
{
	for (size_t i = 0; i < pairs->count; i++) {
		char *value = NULL;
		int r = recipe_expand(scope, &pairs->items[i].value, false, NULL, NULL, &value,
				      err);

		if (r == 0)
			r = scope_put(scope, &pairs->items[i].name, value, false, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_table(const struct recipe_table *table, struct recipe_scope *scope,
		     struct varve_error *err)
{
	const char *choice = recipe_scope_get(scope, table->option.text);

	for (size_t i = 0; choice && i < table->count; i++)
		if (str_equal(table->rows[i].choice.text, choice))
			return put_pairs(&table->rows[i].columns, scope, err);
	return recipe_error(&table->option.at, err, "the variables \"%s\" have no row for \"%s\"",
			    table->option.text, choice ? choice : "");
}

int recipe_scope_new(const struct recipe *recipe, const struct strv *settings,
		     struct recipe_scope **ret, struct varve_error *err)
{
	CLEANUP(recipe_scope_freep) struct recipe_scope *scope = xcalloc(1, sizeof(*scope));
	int r = put_options(recipe, settings, scope, err);

	for (size_t i = 0; r == 0 && i < recipe->table_count; i++)
		r = put_table(&recipe->tables[i], scope, err);
	if (r == 0)
		r = put_pairs(&recipe->plain, scope, err);
	if (r == 0)
		*ret = steal_ptr(&scope);
	return r;
}
