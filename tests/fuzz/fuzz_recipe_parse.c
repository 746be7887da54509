/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a recipe: parsed, checked, its options settled and every step's condition asked. */
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "recipe/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expand_steps(const struct recipe *recipe, const struct recipe_scope *scope)
{
	struct varve_error err;
	bool wanted;

	for (size_t i = 0; i < recipe->stage_count; i++) {
		for (size_t k = 0; k < recipe->stages[i].count; k++) {
			const struct recipe_step *step = &recipe->stages[i].steps[k];
			CLEANUP(free_ptr) char *text = NULL;

			(void)recipe_condition(scope, &step->condition, &wanted, &err);
			(void)recipe_expand(scope, &step->argument, true, NULL, NULL, &text, &err);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	CLEANUP(recipe_scope_freep) struct recipe_scope *scope = NULL;
	struct varve_error err;

	if (recipe_parse((const char *)data, size, "fuzz.yaml", NULL, NULL, &recipe, &err) < 0)
		return 0;
	(void)recipe_check(recipe, NULL, &err);
	if (recipe_scope_new(recipe, NULL, &scope, &err) == 0)
		expand_steps(recipe, scope);
	return 0;
}
