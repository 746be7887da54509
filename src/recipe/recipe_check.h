/* SPDX-License-Identifier: Apache-2.0
 * The parts of recipe_check, in the order in which they are called. */
#ifndef RECIPE_RECIPE_CHECK_H
#define RECIPE_RECIPE_CHECK_H

#include "recipe/recipe_names.h"

/* A reference of one stage to another: its from, a copy or a mount. */
struct edge {
	size_t to; /* index of the stage */
	struct recipe_place at;
};

struct edges { /* of one stage */
	struct edge *items;
	size_t count, alloc;
};

struct check {
	const struct recipe *recipe;
	struct names names;
	bool *source_used; /* by index */
	struct edges *edges; /* by index of the stage */
};

int check_options(const struct recipe *recipe, const char *const *reserved,
		  struct varve_error *err);
/* Builds check->names; marks what variables use. */
int check_variables(struct check *check, struct varve_error *err);
int check_source(const struct recipe_source *source, struct varve_error *err);
int check_python(const struct recipe_source *source, struct varve_error *err);
/* The sources that a python source is beside. */
int check_beside(const struct recipe *recipe, size_t index, struct varve_error *err);
/* The fields of a step that installs from a source of this kind. */
int check_install(const struct recipe_step *step, enum recipe_source_kind kind,
		  struct varve_error *err);
/* Values of a step that stand alone. */
int check_step(const struct recipe_step *step, struct varve_error *err);
/* Refuses to split by wheels, for a step that installs none. */
int check_no_wheels(const struct recipe_split *split, struct varve_error *err);
/* Stages, names of their steps, references; fills check->edges and marks sources. */
int check_stages(struct check *check, struct varve_error *err);
/* Cycles, and stages that no image needs. */
int check_graph(const struct check *check, struct varve_error *err);
int check_images(const struct recipe *recipe, struct varve_error *err);
/* Templates; then options, variables and sources that nothing uses. */
int check_uses(struct check *check, struct varve_error *err);
/* What a template names, seen from a place that allows `allowed` (enum schema_names). Marks it
 * used. */
int check_template(struct check *check, const struct recipe_value *value, unsigned allowed,
		   struct varve_error *err);
/* Names of environment variables; none of them in `other` (may be NULL). */
int check_environment(const struct recipe_pairs *pairs, const struct recipe_pairs *other,
		      struct varve_error *err);

#endif
