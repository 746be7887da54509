/* SPDX-License-Identifier: Apache-2.0
 * images: and checks: */
#include "recipe/recipe_parse.h"

#include "base/buf.h"
#include "base/cleanup.h"

static int read_config(const struct node *node, const struct schema_subject *subject, void *object,
		       struct varve_error *err);

static const char *const image_kinds[] = {"an image", NULL};
static const char *const config_kinds[] = {"an image's config", NULL};
static const char *const check_kinds[] = {"a check", NULL};

#define FIELD(name) offsetof(struct recipe_image, name)
static const struct schema_key image_keys[] = {
	{"stage", SCHEMA_VALUE, FIELD(stage), 0, SCHEMA_ALL, NAMES_NONE, NULL},
	{"name", SCHEMA_VALUE, FIELD(name), 0, SCHEMA_ALL, NAMES_OPTIONS | NAMES_FACTS, NULL},
	{"if", SCHEMA_VALUE, FIELD(condition), 0, 0, NAMES_OPTIONS, NULL},
	{"config", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, read_config},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};
const struct schema schema_image = {image_keys, image_kinds};

static const struct schema_key config_keys[] = {
	{"environment", SCHEMA_PAIRS, FIELD(environment), 0, 0, NAMES_ANY, NULL},
	{"labels", SCHEMA_PAIRS, FIELD(labels), 0, 0, NAMES_ANY, NULL},
	{"workdir", SCHEMA_VALUE, FIELD(workdir), 0, 0, NAMES_ANY, NULL},
	{"user", SCHEMA_VALUE, FIELD(user), 0, 0, NAMES_ANY, NULL},
	{"stop-signal", SCHEMA_VALUE, FIELD(stop_signal), 0, 0, NAMES_OPTIONS, NULL},
	{"command", SCHEMA_VALUES, FIELD(command), 0, 0, NAMES_ANY, NULL},
	{"entrypoint", SCHEMA_VALUES, FIELD(entrypoint), 0, 0, NAMES_ANY, NULL},
	{"ports", SCHEMA_VALUES, FIELD(ports), 0, 0, NAMES_OPTIONS, NULL},
	{"volumes", SCHEMA_VALUES, FIELD(volumes), 0, 0, NAMES_OPTIONS, NULL},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};
#undef FIELD
const struct schema schema_config = {config_keys, config_kinds};

#define FIELD(name) offsetof(struct recipe_check, name)
static const struct schema_key check_keys[] = {
	{"name", SCHEMA_VALUE, FIELD(name), 0, SCHEMA_ALL, NAMES_OPTIONS, NULL},
	{"run", SCHEMA_VALUE, FIELD(run), 0, SCHEMA_ALL, NAMES_ANY, NULL},
	{"image", SCHEMA_VALUE, FIELD(image), 0, 0, NAMES_NONE, NULL},
	{"user", SCHEMA_VALUE, FIELD(user), 0, 0, NAMES_OPTIONS, NULL},
	{"gpu", SCHEMA_VALUE, FIELD(gpu), 0, 0, NAMES_OPTIONS, NULL},
	{"if", SCHEMA_VALUE, FIELD(condition), 0, 0, NAMES_OPTIONS, NULL},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};
#undef FIELD
const struct schema schema_check = {check_keys, check_kinds};

void recipe_image_release(struct recipe_image *image)
{
	value_release(&image->name_in_recipe);
	schema_release(&schema_image, image);
	schema_release(&schema_config, image);
}

void check_release(struct recipe_check *check)
{
	schema_release(&schema_check, check);
}

static int read_config(const struct node *node, const struct schema_subject *subject, void *object,
		       struct varve_error *err)
{
	CLEANUP(free_ptr) char *label = xasprintf("\"config\" of %s", subject->label);
	const struct schema_subject config = {label, 0};

	return schema_read(&schema_config, &config, node, object, err);
}

int parse_images(const struct node *node, const struct schema_subject *subject, void *object,
		 struct varve_error *err)
{
	struct recipe *recipe = object;
	int r = schema_want(node, NODE_MAP, "\"images\"", err);

	(void)subject;
	for (size_t i = 0; r == 0 && i < node->count; i++) {
		const struct node_member *member = &node->members[i];
		CLEANUP(free_ptr) char *label = xasprintf("image \"%s\"", member->key->text);
		struct schema_subject image_subject = {label, 0};
		struct recipe_image *image;

		recipe->images = array_grow(recipe->images, recipe->image_count,
					    &recipe->image_alloc, sizeof(*recipe->images));
		image = &recipe->images[recipe->image_count++];
		schema_name(member->key, &image->name_in_recipe);
		r = schema_read(&schema_image, &image_subject, member->value, image, err);
	}
	return r;
}

int parse_checks(const struct node *node, const struct schema_subject *subject, void *object,
		 struct varve_error *err)
{
	const struct schema_subject check_subject = {"a check", 0};
	struct recipe *recipe = object;
	int r = schema_want(node, NODE_LIST, "\"checks\"", err);

	(void)subject;
	for (size_t i = 0; r == 0 && i < node->count; i++) {
		recipe->checks = array_grow(recipe->checks, recipe->check_count,
					    &recipe->check_alloc, sizeof(*recipe->checks));
		r = schema_read(&schema_check, &check_subject, node->members[i].value,
				&recipe->checks[recipe->check_count++], err);
	}
	return r;
}
