/* SPDX-License-Identifier: Apache-2.0
 * What the specs of all kinds of sources are made with. A spec is what the lock is indexed by, so
 * it may use options and variables, but no facts. */
#ifndef PLAN_PLAN_SPEC_H
#define PLAN_PLAN_SPEC_H

#include "plan/plan_compile.h"
#include "recipe/recipe_grammar.h"

/* Expands; an absent value gives otherwise. Caller frees *ret. */
int spec_text(struct compiler *c, const struct recipe_value *value, const char *otherwise,
	      char **ret, struct varve_error *err);
int spec_set_text(struct compiler *c, json_t *spec, const char *key,
		  const struct recipe_value *value, const char *otherwise, struct varve_error *err);
int spec_set_boolean(struct compiler *c, json_t *spec, const char *key,
		     const struct recipe_value *value, struct varve_error *err);
/* "dependencies": only where it is false, so that older locks stay valid. */
int spec_set_dependencies(struct compiler *c, json_t *spec, const struct recipe_value *value,
			  struct varve_error *err);
/* What options may have put there is checked like what the recipe says itself; "" passes. */
int spec_set_checked(struct compiler *c, json_t *spec, const char *key,
		     const struct recipe_value *value, enum grammar grammar,
		     struct varve_error *err);
/* spec[key]: the digest of a file beside the recipe, so that what the file holds counts, not its
 * name alone. Nothing for an absolute path: that file is the machine's. */
int spec_set_file_digest(struct compiler *c, json_t *spec, const char *key, const char *path,
			 struct varve_error *err);
/* Appends each, once. Empty results are left out, so that a variable can add an element or none. */
int spec_add_texts(struct compiler *c, const struct recipe_values *values, struct strv *list,
		   struct varve_error *err);

/* --- plan_spec_KIND.c: the members of one kind --- */
/* below: the step, or the image, that the source is installed on. */
int debian_spec(struct compiler *c, const struct recipe_source *source, int below, json_t *spec,
		struct varve_error *err);
/* "linux/arm/v7" -> "armhf" */
const char *debian_architecture(const char *platform);
int python_spec(struct compiler *c, const struct recipe_source *source, json_t *spec,
		struct varve_error *err);
int spec_git(struct compiler *c, const struct recipe_source *source, json_t *spec,
	     struct varve_error *err);
int spec_image(struct compiler *c, const struct recipe_source *source, json_t *spec,
	       struct varve_error *err);

#endif
