/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_dump.h"

#include <string.h>
#include <varve/digest.h>

#include "base/cleanup.h"
#include "base/json.h"

static json_t *to_json(const struct node *node)
{
	json_t *json;

	if (node->type == NODE_EMPTY)
		return json_null();
	if (node->type == NODE_SCALAR)
		return json_text(node->text);
	json = node->type == NODE_MAP ? json_object() : json_array();
	for (size_t i = 0; i < node->count; i++) {
		if (node->type == NODE_MAP)
			json_set(json, node->members[i].key->text, to_json(node->members[i].value));
		else
			json_append(json, to_json(node->members[i].value));
	}
	return json;
}

void dump_digest(const struct node *root, char ret[65])
{
	CLEANUP(json_decrefp) json_t *json = to_json(root);
	struct varve_digest digest;
	char hex[VARVE_DIGEST_HEX];

	json_digest(json, &digest);
	memcpy(ret, varve_digest_hex(&digest, hex), sizeof(hex));
}
