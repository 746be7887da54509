/* SPDX-License-Identifier: Apache-2.0
 * Nodes to values, lists and pairs: the small readings of the schema. */
#include "recipe/recipe_schema.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

static const char *example_of(enum node_type type)
{
	static const char *const examples[] = {
		"", "", "; a list is written [a, b] or as lines that start with \"- \"",
		"; a map is written {name: value} or as lines \"name: value\""};

	return examples[type];
}

int schema_want(const struct node *node, enum node_type type, const char *what,
		struct varve_error *err)
{
	if (node->type == type)
		return 0;
	if (node->type == NODE_EMPTY)
		return recipe_error(&node->at, err, "%s has no value%s", what,
				    type == NODE_SCALAR ? "; an empty one is written \"\""
							: example_of(type));
	return recipe_error(&node->at, err, "%s must be %s, not %s%s", what, node_type_name(type),
			    node_type_name(node->type), example_of(type));
}

int schema_value(const struct node *node, const char *what, struct recipe_value *ret,
		 struct varve_error *err)
{
	int r = schema_want(node, NODE_SCALAR, what, err);

	if (r == 0)
		*ret = (struct recipe_value){xstrdup(node->text), node->at};
	return r;
}

void schema_name(const struct node *key, struct recipe_value *ret)
{
	*ret = (struct recipe_value){xstrdup(key->text), key->at};
}

int schema_values(const struct node *node, const char *what, struct recipe_values *ret,
		  struct varve_error *err)
{
	CLEANUP(free_ptr) char *member = xasprintf("a member of %s", what);
	int r = schema_want(node, NODE_LIST, what, err);

	for (size_t i = 0; r == 0 && i < node->count; i++) {
		ret->items = array_grow(ret->items, ret->count, &ret->alloc, sizeof(*ret->items));
		r = schema_value(node->members[i].value, member, &ret->items[ret->count], err);
		if (r == 0)
			ret->count++;
	}
	return r;
}

int schema_pairs(const struct node *node, const char *what, struct recipe_pairs *ret,
		 struct varve_error *err)
{
	int r = schema_want(node, NODE_MAP, what, err);

	for (size_t i = 0; r == 0 && i < node->count; i++) {
		const struct node_member *member = &node->members[i];
		CLEANUP(free_ptr) char *of = xasprintf("\"%s\" in %s", member->key->text, what);
		struct recipe_pair pair = {{NULL, {NULL, 0, 0}}, {NULL, {NULL, 0, 0}}};

		r = schema_value(member->value, of, &pair.value, err);
		if (r < 0)
			return r;
		schema_name(member->key, &pair.name);
		ret->items = array_grow(ret->items, ret->count, &ret->alloc, sizeof(*ret->items));
		ret->items[ret->count++] = pair;
	}
	return r;
}

void value_release(struct recipe_value *value)
{
	free(value->text);
	value->text = NULL;
}

void values_release(struct recipe_values *values)
{
	for (size_t i = 0; i < values->count; i++)
		value_release(&values->items[i]);
	free(values->items);
	*values = (struct recipe_values){NULL, 0, 0};
}

void pairs_release(struct recipe_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		value_release(&pairs->items[i].name);
		value_release(&pairs->items[i].value);
	}
	free(pairs->items);
	*pairs = (struct recipe_pairs){NULL, 0, 0};
}
