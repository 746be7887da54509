/* SPDX-License-Identifier: Apache-2.0
 * The door to libfyaml: one YAML (or JSON) document to a tree. Anchors, aliases and merge keys are
 * resolved; tags, several documents, keys that are not scalars and duplicate keys are refused. */
#ifndef RECIPE_RECIPE_YAML_H
#define RECIPE_RECIPE_YAML_H

#include "recipe/recipe_node.h"

/* The tree belongs to the pool and borrows file. -VARVE_E_RECIPE with FILE:LINE:COLUMN. */
int yaml_read(const char *text, size_t len, const char *file, struct node_pool *pool,
	      struct node **ret, struct varve_error *err);

#endif
