/* SPDX-License-Identifier: Apache-2.0
 * Merge keys. YAML 1.2's core leaves them out; recipes have them because anchors without them are
 * of little use. */
#include "recipe/recipe_node.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

static bool is_merge(const struct node *key)
{
	return key->plain && str_equal(key->text, "<<");
}

static const struct node_member *find_merge(const struct node *map)
{
	for (size_t i = 0; i < map->count; i++)
		if (is_merge(map->members[i].key))
			return &map->members[i];
	return NULL;
}

static int merge_map(struct node_pool *pool, struct node *into, const struct node *explicit_keys,
		     const struct node *from, struct varve_error *err)
{
	int r;

	if (from->type != NODE_MAP)
		return recipe_error(&from->at, err,
				    "<< takes a map or a list of maps, this is %s; write <<: *NAME",
				    node_type_name(from->type));
	for (size_t i = 0; i < from->count; i++) {
		const struct node_member *member = &from->members[i];

		if (node_get(explicit_keys, member->key->text) || node_get(into, member->key->text))
			continue;
		r = node_charge(pool, member->value->weight + 1, &from->at, err);
		if (r < 0)
			return r;
		node_append(into, member->key, member->value);
	}
	return 0;
}

static int merge_value(struct node_pool *pool, struct node *into, const struct node *explicit_keys,
		       const struct node *value, struct varve_error *err)
{
	int r;

	if (value->type != NODE_LIST)
		return merge_map(pool, into, explicit_keys, value, err);
	for (size_t i = 0; i < value->count; i++) {
		r = merge_map(pool, into, explicit_keys, value->members[i].value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int node_merge(struct node_pool *pool, struct node *map, struct varve_error *err)
{
	struct node *merged;
	int r;

	if (!find_merge(map))
		return 0;
	merged = node_new(pool, NODE_MAP, &map->at);
	for (size_t i = 0; i < map->count; i++) {
		const struct node_member *member = &map->members[i];

		if (!is_merge(member->key)) {
			node_append(merged, member->key, member->value);
			continue;
		}
		r = merge_value(pool, merged, map, member->value, err);
		if (r < 0)
			return r;
	}
	free(map->members);
	map->members = steal_ptr(&merged->members);
	map->count = merged->count;
	map->alloc = merged->alloc;
	map->weight = merged->weight;
	map->height = merged->height;
	merged->count = merged->alloc = 0;
	return node_check_members(map, err);
}
