/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_node.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

static void node_free(struct node *node)
{
	free(node->text);
	free(node->members);
	free(node);
}

void node_pool_release(struct node_pool *pool)
{
	while (pool->newest) {
		struct node *node = pool->newest;

		pool->newest = node->older;
		node_free(node);
	}
	pool->weight = 0;
}

struct node *node_new(struct node_pool *pool, enum node_type type, const struct recipe_place *at)
{
	struct node *node = xcalloc(1, sizeof(*node));

	node->type = type;
	node->at = *at;
	node->weight = 1;
	node->older = pool->newest;
	pool->newest = node;
	return node;
}

void node_append(struct node *parent, struct node *key, struct node *value)
{
	parent->members = array_grow(parent->members, parent->count, &parent->alloc,
				     sizeof(*parent->members));
	parent->members[parent->count++] = (struct node_member){key, value};
	parent->weight += value->weight + (key ? 1 : 0);
	if (parent->height <= value->height)
		parent->height = value->height + 1;
}

int node_charge(struct node_pool *pool, size_t weight, const struct recipe_place *at,
		struct varve_error *err)
{
	if (weight > NODE_LIMIT || pool->weight > NODE_LIMIT - weight)
		return recipe_error(at, err,
				    "the recipe is too large: more than %d values, with aliases "
				    "counted as what they stand for",
				    NODE_LIMIT);
	pool->weight += weight;
	return 0;
}

const struct node *node_get(const struct node *map, const char *key)
{
	for (size_t i = 0; i < map->count; i++)
		if (str_equal(map->members[i].key->text, key))
			return map->members[i].value;
	return NULL;
}

struct sorted_key {
	const struct node *key;
	size_t index;
};

/* Of two equal keys the one written first comes first. */
static int compare_keys(const void *a, const void *b)
{
	const struct sorted_key *left = a, *right = b;
	int order = strcmp(left->key->text, right->key->text);

	if (order != 0)
		return order;
	return left->index < right->index ? -1 : 1;
}

static int duplicate_key(const struct node *first, const struct node *again,
			 struct varve_error *err)
{
	return recipe_error(&again->at, err, "\"%s\" is given twice; the first one is at %s:%u:%u",
			    again->text, first->at.file, first->at.line, first->at.column);
}

int node_check_members(const struct node *node, struct varve_error *err)
{
	CLEANUP(free_ptr) struct sorted_key *sorted = NULL;

	if (node->count > NODE_MEMBERS)
		return recipe_error(&node->at, err, "this %s has more than %d members",
				    node->type == NODE_MAP ? "map" : "list", NODE_MEMBERS);
	if (node->type != NODE_MAP || node->count < 2)
		return 0;
	sorted = xcalloc(node->count, sizeof(*sorted));
	for (size_t i = 0; i < node->count; i++)
		sorted[i] = (struct sorted_key){node->members[i].key, i};
	qsort(sorted, node->count, sizeof(*sorted), compare_keys);
	for (size_t i = 1; i < node->count; i++)
		if (str_equal(sorted[i - 1].key->text, sorted[i].key->text))
			return duplicate_key(sorted[i - 1].key, sorted[i].key, err);
	return 0;
}

const char *node_type_name(enum node_type type)
{
	static const char *const names[] = {"nothing", "a single value", "a list", "a map"};

	return names[type];
}
