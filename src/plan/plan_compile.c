/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_compile.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

static int expand(struct compiler *c, const struct recipe_value *value, bool unkeyed, char **ret,
		  struct varve_error *err)
{
	const struct recipe_place *outer = c->at;
	int r;

	c->lookup_code = 0;
	c->at = &value->at;
	r = recipe_expand(c->scope, value, unkeyed, compile_lookup, c, ret, err);
	c->at = outer;
	if (r < 0 && c->lookup_code < 0 && err)
		*err = c->lookup_error;
	return r < 0 && c->lookup_code < 0 ? c->lookup_code : r;
}

int compile_expand(struct compiler *c, const struct recipe_value *value, char **ret,
		   struct varve_error *err)
{
	return expand(c, value, false, ret, err);
}

int compile_expand_unkeyed(struct compiler *c, const struct recipe_value *value, char **ret,
			   struct varve_error *err)
{
	return expand(c, value, true, ret, err);
}

int compile_values(struct compiler *c, const struct recipe_values *values, struct strv *ret,
		   struct varve_error *err)
{
	size_t i;
	int r;

	for (i = 0; i < values->count; i++) {
		CLEANUP(free_ptr) char *text = NULL;

		r = compile_expand(c, &values->items[i], &text, err);
		if (r < 0)
			return r;
		strv_add(ret, text ? text : "");
	}
	return 0;
}

/* --- stages --- */
/* A stage that stands on another one, or on an image source. */
static int compile_parent(struct compiler *c, const struct recipe_value *from, const char *text,
			  struct plan_stage *stage, struct varve_error *err)
{
	/* What a stage names by itself is a source of that very text, options and all. */
	const char *name = recipe_is_image(from->text) ? from->text : text;
	const struct recipe_source *source = recipe_find_source(c->recipe, name);
	int index = PLAN_NONE, r;

	if (recipe_find_stage(c->recipe, text) || !source || source->kind != SOURCE_IMAGE) {
		r = compile_stage(c, from, text, &stage->from, err);
		if (r < 0)
			return r;
		stage->top = c->plan->stages[stage->from].top;
		strv_extend(&stage->environment, &c->plan->stages[stage->from].environment);
		return 0;
	}
	r = compile_source(c, from, name, PLAN_NONE, &index, err);
	if (r < 0)
		return r;
	stage->top = plan_on_image(index);
	compile_base_environment(c->plan, stage->top, &stage->environment);
	return 0;
}

static int begin_stage(struct compiler *c, const struct recipe_stage *from, int *ret,
		       struct varve_error *err)
{
	CLEANUP(free_ptr) char *parent = NULL;
	struct plan *plan = c->plan;
	struct plan_stage stage = {.from = PLAN_NONE, .top = PLAN_NONE};
	int r;

	r = compile_expand(c, &from->from, &parent, err);
	if (r == 0 && parent && *parent)
		r = compile_parent(c, &from->from, parent, &stage, err);
	if (r == 0)
		r = compile_environment(c, &from->environment, &stage.environment, err);
	if (r < 0) {
		strv_release(&stage.environment);
		return r;
	}
	stage.name = xstrdup(from->name.text);
	plan->stages = array_grow(plan->stages, plan->stage_count, &plan->stage_alloc,
				  sizeof(*plan->stages));
	*ret = (int)plan->stage_count;
	plan->stages[plan->stage_count++] = stage;
	return 0;
}

static int compile_steps(struct compiler *c, const struct recipe_stage *from, int stage,
			 struct varve_error *err)
{
	bool wanted;
	size_t i;
	int r;

	for (i = 0; i < from->count; i++) {
		r = recipe_condition(c->scope, &from->steps[i].condition, &wanted, err);
		if (r == 0 && wanted)
			r = compile_step(c, &from->steps[i], stage, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int compile_stage(struct compiler *c, const struct recipe_value *name, const char *text, int *ret,
		  struct varve_error *err)
{
	const struct recipe_stage *from = recipe_find_stage(c->recipe, text);
	const struct strv *environment = c->environment;
	int *index, stage, r;

	if (!from)
		return recipe_error(&name->at, err, "there is no stage \"%s\"", text);
	index = &c->stage_index[from - c->recipe->stages];
	if (*index == STAGE_OPEN)
		return recipe_error(&name->at, err, "stage \"%s\" needs itself", text);
	if (*index == STAGE_UNSEEN) {
		*index = STAGE_OPEN;
		c->environment = NULL;
		r = begin_stage(c, from, &stage, err);
		if (r == 0)
			r = compile_steps(c, from, stage, err);
		c->environment = environment;
		if (r < 0)
			return r;
		*index = stage;
	}
	*ret = *index;
	return 0;
}

/* --- the whole --- */
/* Over what is locked of the sources wanted (NULL: all), so that other entries in the lock leave it
 * alone. */
static void digest_of_lock(const struct plan *plan, const bool *wanted, struct varve_digest *ret)
{
	CLEANUP(json_decrefp) json_t *list = json_object();
	char key[VARVE_DIGEST_TEXT];
	size_t i;

	for (i = 0; i < plan->sources.count; i++) {
		const struct plan_source *source = &plan->sources.items[i];

		if (source->locked && (!wanted || wanted[i]))
			json_set(list, varve_digest_text(&source->digest, key),
				 json_of_digest(&source->content));
	}
	json_digest(list, ret);
}

static void want_sources(const struct plan *plan, int step, bool *wanted)
{
	const struct plan_step *s = &plan->steps[step];
	int base = plan_base(plan, step);
	size_t i;

	if (s->action != ACTION_RUN && s->from.content == PLAN_FROM_SOURCE)
		wanted[s->from.index] = true;
	for (i = 0; i < s->mount_count; i++)
		if (s->mounts[i].content == PLAN_FROM_SOURCE)
			wanted[s->mounts[i].index] = true;
	if (base != PLAN_NONE)
		wanted[base] = true;
}

/* An image's digest must not change with a source that only others of the plan have: steps come
 * after all that they need, so one pass from the top finds those of one image. */
static void digest_of_image(const struct plan *plan, struct plan_image *image)
{
	CLEANUP(free_ptr) bool *wanted = xcalloc(plan->sources.count + 1, sizeof(*wanted));
	CLEANUP(free_ptr) bool *steps = xcalloc(plan->step_count + 1, sizeof(*steps));
	CLEANUP(free_ptr) int *needs = xcalloc(plan->step_count + 1, sizeof(*needs));
	int top = plan->stages[image->stage].top, i;

	if (plan_is_image(top))
		wanted[plan_image_source(top)] = true;
	for (i = top; i >= 0; i--) {
		size_t count, k;

		if (i != top && !steps[i])
			continue;
		want_sources(plan, i, wanted);
		count = plan_needs(plan, i, needs, plan->step_count);
		for (k = 0; k < count; k++)
			steps[needs[k]] = true;
	}
	digest_of_lock(plan, wanted, &image->lock_digest);
}

static int compile(struct compiler *c, struct varve_error *err)
{
	struct plan *plan = c->plan;
	size_t i;
	int r;

	plan->recipe_name = xstrdup(c->recipe->name.text ? c->recipe->name.text : "");
	memcpy(plan->recipe_digest, c->recipe->digest, sizeof(plan->recipe_digest));
	plan->platform = xstrdup(c->options->platform);
	c->stage_index = xcalloc(c->recipe->stage_count + 1, sizeof(*c->stage_index));
	for (i = 0; i < c->recipe->stage_count; i++)
		c->stage_index[i] = STAGE_UNSEEN;
	r = compile_images(c, err);
	free(c->stage_index);
	strv_release(&c->facts);
	digest_of_lock(plan, NULL, &plan->lock_digest);
	for (i = 0; i < plan->image_count; i++)
		digest_of_image(plan, &plan->images[i]);
	return r;
}

int plan_compile(const struct recipe *recipe, const struct recipe_scope *scope,
		 const struct lock *lock, const struct plan_options *options, struct plan **ret,
		 struct varve_error *err)
{
	CLEANUP(plan_freep) struct plan *plan = xcalloc(1, sizeof(*plan));
	struct compiler c = {
		.recipe = recipe, .scope = scope, .lock = lock, .options = options, .plan = plan};
	int r;

	r = compile(&c, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&plan);
	return 0;
}

static bool has_commands(const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->step_count; i++)
		if (plan->steps[i].action != ACTION_COPY)
			return true;
	return false;
}

int plan_collect_sources(const struct recipe *recipe, const struct recipe_scope *scope,
			 const struct plan_options *options, struct plan_sources *ret,
			 struct varve_error *err)
{
	CLEANUP(plan_freep) struct plan *plan = xcalloc(1, sizeof(*plan));
	struct compiler c = {.recipe = recipe, .scope = scope, .options = options, .plan = plan};
	int r;

	r = compile(&c, err);
	if (r < 0)
		return r;
	*ret = plan->sources;
	plan->sources = (struct plan_sources){0};
	ret->commands = has_commands(plan);
	return 0;
}
