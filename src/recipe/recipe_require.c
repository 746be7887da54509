/* SPDX-License-Identifier: Apache-2.0
 * requires: what must hold of the options together, told before anything is done. */
#include "recipe/recipe_parse.h"

#include "base/buf.h"
#include "base/cleanup.h"

static const char *const requirement_kinds[] = {"a requirement", NULL};

#define FIELD(name) offsetof(struct recipe_requirement, name)
static const struct schema_key requirement_keys[] = {
	{"if", SCHEMA_VALUE, FIELD(condition), 0, 0, NAMES_OPTIONS, NULL},
	{"that", SCHEMA_VALUE, FIELD(that), 0, SCHEMA_ALL, NAMES_OPTIONS, NULL},
	{"message", SCHEMA_VALUE, FIELD(message), 0, SCHEMA_ALL, NAMES_OPTIONS, NULL},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};
#undef FIELD
const struct schema schema_requirement = {requirement_keys, requirement_kinds};

void requirement_release(struct recipe_requirement *requirement)
{
	schema_release(&schema_requirement, requirement);
}

int parse_requirements(const struct node *node, const struct schema_subject *subject, void *object,
		       struct varve_error *err)
{
	const struct schema_subject requirement_subject = {"a requirement", 0};
	struct recipe *recipe = object;
	int r = schema_want(node, NODE_LIST, "\"requires\"", err);

	(void)subject;
	for (size_t i = 0; r == 0 && i < node->count; i++) {
		recipe->requirements =
			array_grow(recipe->requirements, recipe->requirement_count,
				   &recipe->requirement_alloc, sizeof(*recipe->requirements));
		r = schema_read(&schema_requirement, &requirement_subject, node->members[i].value,
				&recipe->requirements[recipe->requirement_count++], err);
	}
	return r;
}

static int require(const struct recipe *recipe, const struct recipe_scope *scope,
		   const struct recipe_requirement *requirement, struct varve_error *err)
{
	CLEANUP(free_ptr) char *message = NULL;
	bool concerned = false, holds = true;
	int r = recipe_condition(scope, &requirement->condition, &concerned, err);

	if (r == 0 && concerned)
		r = recipe_condition(scope, &requirement->that, &holds, err);
	if (r < 0 || holds)
		return r;
	r = recipe_expand(scope, &requirement->message, false, NULL, NULL, &message, err);
	return r < 0 ? r
		     : varve_error_set(err, -VARVE_E_USAGE, "recipe \"%s\": %.900s",
				       recipe->name.text, message);
}

int recipe_require(const struct recipe *recipe, const struct recipe_scope *scope,
		   struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < recipe->requirement_count; i++)
		r = require(recipe, scope, &recipe->requirements[i], err);
	return r;
}
