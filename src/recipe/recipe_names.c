/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe_schema.h"

static void names_add(struct names *names, const struct recipe_value *value, enum name_kind kind,
		      size_t index)
{
	names->items = array_grow(names->items, names->count, &names->alloc, sizeof(*names->items));
	names->items[names->count++] = (struct name){value->text, value->at, kind, index, false};
}

static int compare_text(const void *a, const void *b)
{
	const struct name *left = a, *right = b;

	return strcmp(left->text, right->text);
}

/* In the order of evaluation, so that of two equal names the later one is blamed. */
static int compare_names(const void *a, const void *b)
{
	const struct name *left = a, *right = b;
	int order = strcmp(left->text, right->text);

	if (order != 0)
		return order;
	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return left->index < right->index ? -1 : 1;
}

const char *name_kind_text(enum name_kind kind)
{
	static const char *const texts[] = {"option", "variable", "variable"};

	return texts[kind];
}

static int check_unique(const struct names *names, struct varve_error *err)
{
	for (size_t i = 1; i < names->count; i++) {
		const struct name *first = &names->items[i - 1], *again = &names->items[i];

		if (str_equal(first->text, again->text))
			return recipe_error(
				&again->at, err,
				"the variable \"%s\" has the name of the %s at %s:%u:%u",
				again->text, name_kind_text(first->kind), first->at.file,
				first->at.line, first->at.column);
	}
	return 0;
}

int names_build(const struct recipe *recipe, struct names *ret, struct varve_error *err)
{
	for (size_t i = 0; i < recipe->option_count; i++)
		names_add(ret, &recipe->options[i].name, NAME_OPTION, i);
	for (size_t i = 0; i < recipe->table_count; i++) {
		const struct recipe_table *table = &recipe->tables[i];

		for (size_t k = 0; table->count > 0 && k < table->rows[0].columns.count; k++)
			names_add(ret, &table->rows[0].columns.items[k].name, NAME_COLUMN, i);
	}
	for (size_t i = 0; i < recipe->plain.count; i++)
		names_add(ret, &recipe->plain.items[i].name, NAME_PLAIN, i);
	if (ret->count > 0)
		qsort(ret->items, ret->count, sizeof(*ret->items), compare_names);
	return check_unique(ret, err);
}

void names_release(struct names *names)
{
	free(names->items);
	*names = (struct names){NULL, 0, 0};
}

struct name *names_find(const struct names *names, const char *text)
{
	const struct name wanted = {.text = text};

	if (names->count == 0)
		return NULL;
	return bsearch(&wanted, names->items, names->count, sizeof(*names->items), compare_text);
}

char *names_suggest(const struct names *names, const char *text)
{
	CLEANUP(free_ptr) const char **list = xcalloc(names->count + 1, sizeof(const char *));

	for (size_t i = 0; i < names->count; i++)
		list[i] = names->items[i].text;
	return suggest(text, list);
}
