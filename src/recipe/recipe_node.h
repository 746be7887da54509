/* SPDX-License-Identifier: Apache-2.0
 * A document as a generic tree: what YAML says, before anything is known about recipes. Aliases
 * share their target, so a tree is read-only once it is made, and a pool owns all nodes. Scalars
 * are text: no node has a type beyond these four. */
#ifndef RECIPE_RECIPE_NODE_H
#define RECIPE_RECIPE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include "recipe/recipe.h"

enum {
	NODE_LIMIT = 100000, /* nodes of a recipe, aliases counted as what they stand for */
	NODE_DEPTH = 64, /* lists and maps inside each other */
	NODE_MEMBERS = 16384, /* members of one list or map */
};

enum node_type { NODE_EMPTY /* nothing written */, NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node;
struct node_member {
	struct node *key; /* NULL in a list */
	struct node *value;
};

struct node {
	struct node *older; /* of the same pool */
	enum node_type type;
	struct recipe_place at;
	bool plain; /* a scalar without quotes */
	bool open; /* still being read: an alias to it would be a cycle */
	char *text; /* NODE_SCALAR: UTF-8 without NUL */
	struct node_member *members; /* NODE_LIST, NODE_MAP */
	size_t count, alloc;
	unsigned height; /* 0 for a scalar; aliases included */
	size_t weight; /* nodes from here down; aliases counted as what they stand for */
};

struct node_pool {
	struct node *newest;
	size_t weight;
};

void node_pool_release(struct node_pool *pool);
/* A new node of weight 1, owned by the pool. */
struct node *node_new(struct node_pool *pool, enum node_type type, const struct recipe_place *at);
void node_append(struct node *parent, struct node *key, struct node *value);
/* Counts weight further nodes at a place; -VARVE_E_RECIPE past NODE_LIMIT. */
int node_charge(struct node_pool *pool, size_t weight, const struct recipe_place *at,
		struct varve_error *err);

const struct node *node_get(const struct node *map, const char *key); /* NULL: no such key */
/* Refuses keys that appear twice, naming both places, and too many members. */
int node_check_members(const struct node *node, struct varve_error *err);
/* Replaces merge keys (<<: MAP or [MAP...]) by the members they bring: at the place of the key,
 * keys that the map itself has left out, earlier maps winning. Call with keys already checked. */
int node_merge(struct node_pool *pool, struct node *map, struct varve_error *err);
/* "a list", "a map", ... for messages. */
const char *node_type_name(enum node_type type);

#endif
