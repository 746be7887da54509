/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_compile.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* --- names --- */
/* distribution-spec: the first component is a host when it could not be one of a repository. */
static bool has_host(const char *name)
{
	size_t len = strcspn(name, "/");
	CLEANUP(free_ptr) char *first = xstrndup(name, len);

	return name[len] == '/' && (strpbrk(first, ".:") || strcmp(first, "localhost") == 0);
}

/* Adds the registry where name has no host, and ":latest" where it has no tag. */
static char *full_name(const char *name, const char *registry)
{
	const char *slash = strrchr(name, '/');
	const char *tag = strchr(slash ? slash : name, ':') ? "" : ":latest";
	size_t len;

	if (!registry || *registry == '\0' || has_host(name))
		return xasprintf("%s%s", name, tag);
	len = strlen(registry);
	while (len > 0 && registry[len - 1] == '/')
		len--;
	return xasprintf("%.*s/%s%s", (int)len, registry, name, tag);
}

static bool is_component(const char *text, size_t len)
{
	size_t i;

	if (len == 0 || !isalnum((unsigned char)text[0]) || !isalnum((unsigned char)text[len - 1]))
		return false;
	for (i = 0; i < len; i++)
		if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) &&
		    !strchr("._-", text[i]))
			return false;
	return true;
}

static bool is_tag(const char *text)
{
	size_t i;

	if (!isalnum((unsigned char)text[0]) && text[0] != '_')
		return false;
	for (i = 0; text[i]; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("_.-", text[i]))
			return false;
	return i <= 128;
}

/* The grammar of distribution-spec 1.1, "Pulling manifests", on the name as the recipe gives it. */
static int check_name(const struct recipe_value *at, const char *name, struct varve_error *err)
{
	const char *part = has_host(name) ? strchr(name, '/') + 1 : name;

	for (;;) {
		size_t len = strcspn(part, "/:");

		if (!is_component(part, len))
			return recipe_error(
				&at->at, err,
				"image name \"%s\": \"%.*s\" is no part of a repository's "
				"name (lower-case letters, digits, \".\", \"_\", \"-\")",
				name, (int)len, part);
		part += len;
		if (*part != '/')
			break;
		part++;
	}
	if (*part == '\0' || is_tag(part + 1))
		return 0;
	return recipe_error(&at->at, err, "image name \"%s\": \"%s\" is no tag", name, part + 1);
}

static int check_unique(const struct plan *plan, const struct recipe_value *at, const char *name,
			struct varve_error *err)
{
	size_t i;

	for (i = 0; i < plan->image_count; i++)
		if (str_equal(plan->images[i].name, name))
			return recipe_error(&at->at, err,
					    "this image and image \"%s\" are both \"%s\"",
					    plan->images[i].name_in_recipe, name);
	return 0;
}

static int compile_name(struct compiler *c, const struct recipe_image *from, char **ret,
			struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(free_ptr) char *registry = NULL;
	CLEANUP(free_ptr) char *name = NULL;
	int r = compile_expand(c, &from->name, &text, err);

	if (r == 0)
		r = compile_expand(c, &c->recipe->registry, &registry, err);
	if (r == 0)
		r = check_name(&from->name, text, err);
	if (r < 0)
		return r;
	name = full_name(text, c->options->registry ? c->options->registry : registry);
	r = check_unique(c->plan, &from->name, name, err);
	if (r == 0)
		*ret = steal_ptr(&name);
	return r;
}

/* --- images --- */
static int fill_image(struct compiler *c, const struct recipe_image *from, struct plan_image *image,
		      struct varve_error *err)
{
	CLEANUP(free_ptr) char *stage = NULL;
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	int r;

	r = compile_expand(c, &from->stage, &stage, err);
	if (r == 0)
		r = compile_stage(c, &from->stage, stage, &image->stage, err);
	if (r < 0)
		return r;
	if (c->plan->stages[image->stage].top == PLAN_NONE)
		return recipe_error(&from->stage.at, err, "stage \"%s\" is empty: it has no step",
				    stage);
	image->epoch = plan_chain_epoch(c, c->plan->stages[image->stage].top);
	strv_extend(&environment, &c->plan->stages[image->stage].environment);
	r = compile_environment(c, &from->environment, &environment, err);
	c->environment = &environment;
	if (r == 0)
		r = compile_name(c, from, &image->name, err);
	if (r == 0)
		r = compile_config(c, from, &environment, &image->config, err);
	if (r == 0)
		image->config =
			compile_inherit(c->plan, c->plan->stages[image->stage].top, image->config);
	if (r == 0)
		r = compile_checks(c, from->name_in_recipe.text, &image->checks, err);
	c->environment = NULL;
	return r;
}

static int compile_image(struct compiler *c, const struct recipe_image *from,
			 struct varve_error *err)
{
	struct plan *plan = c->plan;
	struct plan_image image = {.name_in_recipe = xstrdup(from->name_in_recipe.text)};
	int r = fill_image(c, from, &image, err);

	if (r < 0) {
		free(image.name_in_recipe);
		free(image.name);
		json_decref(image.config);
		json_decref(image.checks);
		return r;
	}
	plan->images = array_grow(plan->images, plan->image_count, &plan->image_alloc,
				  sizeof(*plan->images));
	plan->images[plan->image_count++] = image;
	return 0;
}

static bool is_asked_for(const struct compiler *c, const char *name)
{
	return c->options->images && strv_contains(c->options->images, name);
}

static int check_asked(const struct compiler *c, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	const struct strv *asked = c->options->images;
	size_t i;
	int r;

	for (i = 0; i < c->recipe->image_count; i++)
		strv_add(&names, c->recipe->images[i].name_in_recipe.text);
	for (i = 0; asked && i < asked->count; i++) {
		CLEANUP(free_ptr) char *suggestion = NULL;
		CLEANUP(free_ptr) char *list = NULL;

		if (strv_contains(&names, asked->items[i]))
			continue;
		suggestion = plan_suggest(asked->items[i], &names);
		list = strv_join(&names, ", ");
		r = varve_error_set(err, -VARVE_E_USAGE, "the recipe has no image \"%s\"%s",
				    asked->items[i], suggestion);
		varve_error_hint(err, "images: %.700s", list ? list : "none");
		return r;
	}
	return 0;
}

static int wants_image(struct compiler *c, const struct recipe_image *from, bool *ret,
		       struct varve_error *err)
{
	bool all = !c->options->images || c->options->images->count == 0;
	bool asked = is_asked_for(c, from->name_in_recipe.text);
	int r = recipe_condition(c->scope, &from->condition, ret, err);

	if (r == 0 && asked && !*ret)
		return recipe_error(&from->condition.at, err,
				    "image \"%s\" is asked for, but its \"if\" leaves it out",
				    from->name_in_recipe.text);
	*ret = *ret && (all || asked);
	return r;
}

int compile_images(struct compiler *c, struct varve_error *err)
{
	bool wanted = false;
	size_t i;
	int r = check_asked(c, err);

	for (i = 0; r == 0 && i < c->recipe->image_count; i++) {
		r = wants_image(c, &c->recipe->images[i], &wanted, err);
		if (r == 0 && wanted)
			r = compile_image(c, &c->recipe->images[i], err);
	}
	/* Collecting for all combinations of options meets some that build nothing. */
	if (r == 0 && c->plan->image_count == 0 && c->lock)
		r = varve_error_set(err, -VARVE_E_RECIPE, "%s: no image is left to build",
				    c->recipe->file_count > 0 ? c->recipe->files[0] : "the recipe");
	return r;
}
