/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_compile.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"

static int leads_upwards(const struct recipe_value *value, const char *text,
			 struct varve_error *err)
{
	return recipe_error(&value->at, err, "\"%s\" must not contain \"..\"", text);
}

int compile_path(struct compiler *c, const struct recipe_value *value, bool keep_slash, char **ret,
		 struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(free_ptr) char *clean = NULL;
	bool slash;
	int r = compile_expand(c, value, &text, err);

	if (r < 0)
		return r;
	if (!text || *text != '/')
		return recipe_error(&value->at, err, "\"%s\" is not an absolute path",
				    text ? text : "");
	clean = path_clean(text);
	if (!clean)
		return leads_upwards(value, text, err);
	slash = keep_slash && *clean && str_ends(text, "/");
	*ret = xasprintf("/%s%s", clean, slash ? "/" : "");
	return 0;
}

int compile_pattern(struct compiler *c, const struct recipe_value *value, char **ret,
		    struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	int r = compile_expand(c, value, &text, err);

	if (r < 0)
		return r;
	*ret = path_clean(text ? text : "");
	return *ret ? 0 : leads_upwards(value, text, err);
}

int compile_reference(struct compiler *c, const struct recipe_value *value, int below,
		      struct plan_mount *ret, struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(free_ptr) char *name = NULL;
	const char *colon;
	int r = compile_expand(c, value, &text, err);

	if (r < 0)
		return r;
	colon = text ? strchr(text, ':') : NULL;
	if (!colon) {
		ret->content = PLAN_FROM_SOURCE;
		return compile_source(c, value, text ? text : "", below, &ret->index, err);
	}
	name = xstrndup(text, (size_t)(colon - text));
	ret->content = PLAN_FROM_STAGE;
	r = compile_stage(c, value, name, &ret->index, err);
	if (r < 0)
		return r;
	if (c->plan->stages[ret->index].top == PLAN_NONE)
		return recipe_error(&value->at, err, "stage \"%s\" is empty: it has no step", name);
	ret->path = path_clean(colon + 1);
	return ret->path ? 0 : leads_upwards(value, text, err);
}

/* --- mounts and caches --- */
static int compare_mounts(const void *a, const void *b)
{
	const struct plan_mount *left = a, *right = b;

	return strcmp(left->target, right->target);
}

static int compare_caches(const void *a, const void *b)
{
	const struct plan_cache *left = a, *right = b;

	return strcmp(left->target, right->target);
}

static bool is_taken(const struct plan_step *step, const char *target)
{
	size_t i;

	for (i = 0; i < step->mount_count; i++)
		if (str_equal(step->mounts[i].target, target))
			return true;
	for (i = 0; i < step->cache_count; i++)
		if (str_equal(step->caches[i].target, target))
			return true;
	return str_equal(step->resume, target);
}

static int compile_target(struct compiler *c, const struct plan_step *step,
			  const struct recipe_value *value, char **ret, struct varve_error *err)
{
	CLEANUP(free_ptr) char *target = NULL;
	int r = compile_path(c, value, false, &target, err);

	if (r < 0)
		return r;
	if (str_equal(target, "/"))
		return recipe_error(&value->at, err, "nothing can be mounted on \"/\"");
	if (is_taken(step, target))
		return recipe_error(&value->at, err, "two mounts on \"%s\"", target);
	*ret = steal_ptr(&target);
	return 0;
}

static int add_mount(struct compiler *c, const struct recipe_pair *pair, struct plan_step *step,
		     struct varve_error *err)
{
	struct plan_mount *mount;
	char *target = NULL;
	int r = compile_target(c, step, &pair->name, &target, err);

	if (r < 0)
		return r;
	step->mounts = array_grow(step->mounts, step->mount_count, &step->mount_alloc,
				  sizeof(*step->mounts));
	mount = &step->mounts[step->mount_count++];
	mount->target = target;
	return compile_reference(c, &pair->value, PLAN_NONE, mount, err);
}

static int add_cache(struct compiler *c, const struct recipe_pair *pair, struct plan_step *step,
		     struct varve_error *err)
{
	struct plan_cache *cache;
	char *target = NULL;
	int r = compile_target(c, step, &pair->name, &target, err);

	if (r < 0)
		return r;
	step->caches = array_grow(step->caches, step->cache_count, &step->cache_alloc,
				  sizeof(*step->caches));
	cache = &step->caches[step->cache_count++];
	cache->target = target;
	r = compile_expand(c, &pair->value, &cache->name, err);
	if (r == 0 && (!cache->name || !path_is_clean(cache->name) || strchr(cache->name, '/')))
		r = recipe_error(&pair->value.at, err, "\"%s\" is no name of a cache",
				 cache->name ? cache->name : "");
	return r;
}

int compile_mounts(struct compiler *c, const struct recipe_step *from, struct plan_step *ret,
		   struct varve_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < from->mounts.count; i++)
		r = add_mount(c, &from->mounts.items[i], ret, err);
	for (i = 0; r == 0 && i < from->caches.count; i++)
		r = add_cache(c, &from->caches.items[i], ret, err);
	if (r == 0 && from->resume.text)
		r = compile_target(c, ret, &from->resume, &ret->resume, err);
	if (r < 0)
		return r;
	if (ret->mount_count > 1)
		qsort(ret->mounts, ret->mount_count, sizeof(*ret->mounts), compare_mounts);
	if (ret->cache_count > 1)
		qsort(ret->caches, ret->cache_count, sizeof(*ret->caches), compare_caches);
	return 0;
}
