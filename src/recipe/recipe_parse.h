/* SPDX-License-Identifier: Apache-2.0
 * The sections of a recipe, from tree to struct: one function each, for recipe_parse. */
#ifndef RECIPE_RECIPE_PARSE_H
#define RECIPE_RECIPE_PARSE_H

#include "recipe/recipe_schema.h"

typedef int (*parse_section)(const struct node *node, const struct schema_subject *subject,
			     void *recipe, struct varve_error *err);

int parse_options(const struct node *node, const struct schema_subject *subject, void *recipe,
		  struct varve_error *err);
int parse_variables(const struct node *node, const struct schema_subject *subject, void *recipe,
		    struct varve_error *err);
int parse_sources(const struct node *node, const struct schema_subject *subject, void *recipe,
		  struct varve_error *err);
/* A source for each image that a stage names by itself. */
void parse_parents(struct recipe *recipe);
int parse_stages(const struct node *node, const struct schema_subject *subject, void *recipe,
		 struct varve_error *err);
int parse_images(const struct node *node, const struct schema_subject *subject, void *recipe,
		 struct varve_error *err);
int parse_checks(const struct node *node, const struct schema_subject *subject, void *recipe,
		 struct varve_error *err);

int parse_requirements(const struct node *node, const struct schema_subject *subject, void *recipe,
		       struct varve_error *err);

/* Frees what one object holds. */
void option_release(struct recipe_option *option);
void table_release(struct recipe_table *table);
void recipe_source_release(struct recipe_source *source);
void stage_release(struct recipe_stage *stage);
void recipe_image_release(struct recipe_image *image);
void check_release(struct recipe_check *check);
void requirement_release(struct recipe_requirement *requirement);

#endif
