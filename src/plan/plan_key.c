/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

int plan_chain(const struct plan *plan, int step, const struct plan_known *known,
	       struct varve_digest *ret, int *ret_unknown)
{
	CLEANUP(free_ptr)
	struct varve_layer *base = xcalloc(plan_chain_room(plan, known, step), sizeof(*base));
	size_t base_count = plan_base_layers(plan, step, base), count = base_count, i;
	int unknown = PLAN_NONE, at;

	for (i = 0; i < base_count; i++)
		ret[i] = base[i].diff_id;
	for (at = step; at >= 0; at = plan->steps[at].below) {
		if (!known[at].known)
			unknown = at;
		for (i = known[at].layers.count; i-- > 0;)
			ret[count++] = known[at].layers.items[i].diff_id;
	}
	if (unknown != PLAN_NONE) {
		*ret_unknown = unknown;
		return -EAGAIN;
	}
	for (i = 0; i < (count - base_count) / 2; i++) {
		struct varve_digest swap = ret[base_count + i];

		ret[base_count + i] = ret[count - 1 - i];
		ret[count - 1 - i] = swap;
	}
	return (int)count;
}

static int chain_json(const struct plan *plan, int step, const struct plan_known *known,
		      json_t **ret, int *ret_unknown)
{
	CLEANUP(free_ptr)
	struct varve_digest *chain = xcalloc(plan_chain_room(plan, known, step), sizeof(*chain));
	int count = plan_chain(plan, step, known, chain, ret_unknown), i;

	if (count < 0)
		return count;
	*ret = json_array();
	for (i = 0; i < count; i++)
		json_append(*ret, json_of_digest(&chain[i]));
	return 0;
}

static int content_json(const struct plan *plan, const struct plan_mount *content,
			const struct plan_known *known, json_t **ret, int *ret_unknown)
{
	const struct plan_stage *stage;
	json_t *chain = NULL;
	int r = 0;

	if (content->content == PLAN_FROM_SOURCE) {
		*ret = plan_source_json(&plan->sources.items[content->index]);
		return 0;
	}
	stage = &plan->stages[content->index];
	if (known)
		r = chain_json(plan, stage->top, known, &chain, ret_unknown);
	else
		chain = json_text(stage->name);
	if (r < 0)
		return r;
	*ret = json_object();
	json_set(*ret, "stage", chain);
	json_set(*ret, "path", json_text(content->path));
	return 0;
}

static int set_content(const struct plan *plan, const struct plan_mount *content,
		       const struct plan_known *known, json_t *object, const char *key,
		       int *ret_unknown)
{
	json_t *value = NULL;
	int r = content_json(plan, content, known, &value, ret_unknown);

	if (r == 0)
		json_set(object, key, value);
	return r;
}

static json_t *environment_json(const struct strv *environment)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; i < environment->count; i++) {
		const char *equals = strchr(environment->items[i], '=');
		CLEANUP(free_ptr)
		char *name =
			xstrndup(environment->items[i], (size_t)(equals - environment->items[i]));

		json_set(object, name, json_text(equals + 1));
	}
	return object;
}

static json_t *ownership_json(const struct plan_step *step)
{
	json_t *list;
	size_t i;

	if (step->ownership_strict)
		return json_text("strict");
	list = json_array();
	for (i = 0; i < step->ownership_count; i++) {
		const struct plan_ownership *owner = &step->ownership[i];
		json_t *entry = json_object();

		json_set(entry, "path", json_text(owner->path));
		json_set(entry, "uid", json_integer(owner->uid));
		json_set(entry, "gid", json_integer(owner->gid));
		json_set(entry, "mode", json_integer(owner->mode));
		json_append(list, entry);
	}
	return list;
}

static json_t *caches_json(const struct plan_step *step)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; i < step->cache_count; i++)
		json_set(object, step->caches[i].target, json_text(step->caches[i].name));
	return object;
}

static json_t *split_json(const struct plan_step *step)
{
	json_t *object = json_object();

	json_set(object, "directories", json_of_strv(&step->split));
	json_set(object, "maximum", json_integer((json_int_t)step->split_maximum));
	return object;
}

static json_t *base_json(const struct plan *plan, const struct plan_step *step)
{
	static const char *const actions[] = {
		[ACTION_INSTALL] = "install", [ACTION_COPY] = "copy", [ACTION_RUN] = "run"};
	json_t *object = json_object();

	json_set(object, "format", json_integer(PLAN_FORMAT));
	json_set(object, "layer-rules", json_integer(PLAN_LAYER_RULES));
	json_set(object, "platform", json_text(plan->platform));
	json_set(object, "action", json_text(actions[step->action]));
	json_set(object, "epoch", json_integer(step->epoch));
	json_set(object, "ownership", ownership_json(step));
	json_set(object, "scrub", json_of_strv(&step->scrub));
	if (plan_is_split(step))
		json_set(object, "split", split_json(step));
	return object;
}

static int set_run(const struct plan *plan, const struct plan_step *step,
		   const struct plan_known *known, json_t *object, int *ret_unknown)
{
	json_t *mounts = json_object();
	size_t i;
	int r = 0;

	json_set(object, "mounts", mounts);
	for (i = 0; r == 0 && i < step->mount_count; i++)
		r = set_content(plan, &step->mounts[i], known, mounts, step->mounts[i].target,
				ret_unknown);
	json_set(object, "command", json_of_strv(&step->argv));
	json_set(object, "workdir", json_text(step->workdir));
	json_set(object, "user", json_text(step->user));
	json_set(object, "caches", caches_json(step));
	if (step->resume)
		json_set(object, "resume", json_text(step->resume));
	json_set(object, "secrets", json_of_strv(&step->secrets));
	/* Layers that were never searched for the step's secrets have other keys. */
	if (step->secrets.count > 0)
		json_set(object, "secrets-searched", json_integer(PLAN_SECRET_SEARCH));
	json_set(object, "network", json_text(step->network ? "host" : "none"));
	return r;
}

/* A trailing "/" asks for a place inside the destination; whether that is a directory already is
 * for whoever resolved it to say. */
static int set_copy(const struct plan *plan, int index, const struct plan_known *known,
		    json_t *object, int *ret_unknown)
{
	const struct plan_step *step = &plan->steps[index];
	json_t *chain = NULL;
	int r;

	json_set(object, "exclude", json_of_strv(&step->exclude));
	json_set(object, "into", json_boolean(str_ends(step->to, "/")));
	r = set_content(plan, &step->from, known, object, "content", ret_unknown);
	if (r < 0)
		return r;
	if (!known) {
		json_set(object, "destination", json_text(step->to));
		return 0;
	}
	if (known[index].destination) {
		json_set(object, "destination", json_text(known[index].destination));
		return 0;
	}
	r = chain_json(plan, step->below, known, &chain, ret_unknown);
	json_decref(chain);
	if (r == 0)
		*ret_unknown = index;
	return -EAGAIN;
}

/* The chain is left out: the interpreter is all that the wheels need of it. */
static int set_wheels(const struct plan *plan, int index, const struct plan_known *known,
		      json_t *object, int *ret_unknown)
{
	const struct plan_step *step = &plan->steps[index];
	bool resolved = known && known[index].destination && known[index].interpreter;
	json_t *chain = NULL;
	int r;

	json_set(object, "environment", environment_json(&step->environment));
	json_set(object, "content", plan_wheels_json(plan, step));
	json_set(object, "layout", json_text(step->layout));
	json_set(object, "bytecode", json_boolean(step->bytecode));
	json_set(object, "part", json_boolean(step->part));
	json_set(object, "destination", json_text(resolved ? known[index].destination : step->to));
	json_set(object, "interpreter",
		 json_text(resolved ? known[index].interpreter : step->interpreter));
	if (!known || resolved)
		return 0;
	r = chain_json(plan, step->base, known, &chain, ret_unknown);
	json_decref(chain);
	if (r == 0)
		*ret_unknown = index;
	return -EAGAIN;
}

static int set_action(const struct plan *plan, int index, const struct plan_known *known,
		      json_t *object, int *ret_unknown)
{
	const struct plan_step *step = &plan->steps[index];
	json_t *chain = NULL;
	int r;

	if (step->action == ACTION_COPY)
		return set_copy(plan, index, known, object, ret_unknown);
	if (plan_installs_wheels(plan, step))
		return set_wheels(plan, index, known, object, ret_unknown);
	if (known) {
		r = chain_json(plan, step->below, known, &chain, ret_unknown);
		if (r < 0)
			return r;
		json_set(object, "chain", chain);
	}
	json_set(object, "environment", environment_json(&step->environment));
	if (step->action == ACTION_INSTALL)
		return set_content(plan, &step->from, known, object, "content", ret_unknown);
	return set_run(plan, step, known, object, ret_unknown);
}

int plan_step_json(const struct plan *plan, int step, const struct plan_known *known, json_t **ret,
		   int *ret_unknown)
{
	CLEANUP(json_decrefp) json_t *object = base_json(plan, &plan->steps[step]);
	int r = set_action(plan, step, known, object, ret_unknown);

	if (r == 0)
		*ret = steal_ptr(&object);
	return r;
}

int plan_input(const struct plan *plan, int step, const struct plan_known *known, json_t **ret,
	       int *ret_unknown)
{
	return plan_step_json(plan, step, known, ret, ret_unknown);
}
