/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_compile.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

static json_t *source_to_json(const struct plan_source *source)
{
	json_t *object = json_object();

	json_set(object, "name", json_text(source->name));
	json_set(object, "spec", json_incref(source->spec));
	json_set(object, "digest", json_of_digest(&source->digest));
	json_set(object, "content", json_of_digest(&source->content));
	json_set(object, "date", json_integer(source->date));
	return object;
}

static json_t *needs_json(const struct plan *plan, int step)
{
	CLEANUP(free_ptr) int *needs = xcalloc(plan_needs_room(plan, step), sizeof(*needs));
	size_t count = plan_needs(plan, step, needs, plan->step_count), i;
	json_t *list = json_array();

	for (i = 0; i < count; i++) {
		CLEANUP(free_ptr) char *name = plan_step_name(plan, needs[i]);

		json_append(list, json_text(name));
	}
	return list;
}

static void set_status(const struct plan *plan, const struct plan_status *status, json_t *object)
{
	static const char *const words[] = {
		[PLAN_HIT] = "hit", [PLAN_MISS] = "miss", [PLAN_DEPENDS] = "depends"};

	json_set(object, "verdict", json_text(words[status->verdict]));
	if (status->verdict == PLAN_DEPENDS && status->depends_on != PLAN_NONE) {
		CLEANUP(free_ptr) char *name = plan_step_name(plan, status->depends_on);

		json_set(object, "depends-on", json_text(name));
	}
	if (status->verdict != PLAN_DEPENDS)
		json_set(object, "key", json_of_digest(&status->key));
	if (status->verdict == PLAN_MISS)
		json_set(object, "why", json_text(status->why));
	if (status->verdict == PLAN_HIT)
		json_set(object, "size", json_integer((json_int_t)status->size));
}

static json_t *environment_json(const struct strv *environment)
{
	CLEANUP(strv_release) struct strv sorted = STRV_INIT;

	strv_extend(&sorted, environment);
	strv_sort(&sorted);
	return json_of_strv(&sorted);
}

static json_t *step_to_json(const struct plan *plan, size_t i, const struct plan_status *status)
{
	const struct plan_step *step = &plan->steps[i];
	json_t *object = json_object(), *input = NULL;
	int unknown;

	/* Without known layers nothing can be unknown. */
	if (plan_step_json(plan, (int)i, NULL, &input, &unknown) < 0)
		abort();
	json_set(object, "step", json_text(step->name));
	json_set(object, "stage", json_text(plan->stages[step->stage].name));
	json_set(object, "input", input);
	json_set(object, "needs", needs_json(plan, (int)i));
	json_set(object, "jobs",
		 step->jobs == PLAN_JOBS_AUTO ? json_text(RECIPE_JOBS_AUTO)
					      : json_integer(step->jobs));
	if (step->slurm.count > 0)
		json_set(object, "slurm", environment_json(&step->slurm));
	if (step->jobs_memory > 0)
		json_set(object, "jobs-memory", json_integer((json_int_t)step->jobs_memory));
	json_set(object, "unkeyed-environment", environment_json(&step->unkeyed_environment));
	if (status)
		set_status(plan, &status[i], object);
	return object;
}

static json_t *image_to_json(const struct plan *plan, const struct plan_image *image)
{
	json_t *object = json_object();

	json_set(object, "image", json_text(image->name_in_recipe));
	json_set(object, "name", json_text(image->name));
	json_set(object, "stage", json_text(plan->stages[image->stage].name));
	json_set(object, "config", json_incref(image->config));
	json_set(object, "checks", json_incref(image->checks));
	json_set(object, "epoch", json_integer(image->epoch));
	return object;
}

static bool is_hermetic(const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->step_count; i++)
		if (plan->steps[i].network)
			return false;
	return true;
}

json_t *plan_to_json(const struct plan *plan, const struct plan_status *status)
{
	json_t *object = json_object(), *sources = json_array(), *steps = json_array(),
	       *images = json_array();
	CLEANUP(free_ptr) char *digest = xasprintf("sha256:%s", plan->recipe_digest);
	size_t i;

	for (i = 0; i < plan->sources.count; i++)
		json_append(sources, source_to_json(&plan->sources.items[i]));
	for (i = 0; i < plan->step_count; i++)
		json_append(steps, step_to_json(plan, i, status));
	for (i = 0; i < plan->image_count; i++)
		json_append(images, image_to_json(plan, &plan->images[i]));
	json_set(object, "format", json_integer(PLAN_FORMAT));
	json_set(object, "recipe", json_text(plan->recipe_name));
	json_set(object, "recipe-digest", json_text(digest));
	json_set(object, "lock-digest", json_of_digest(&plan->lock_digest));
	json_set(object, "platform", json_text(plan->platform));
	json_set(object, "hermetic", json_boolean(is_hermetic(plan)));
	json_set(object, "sources", sources);
	json_set(object, "steps", steps);
	json_set(object, "images", images);
	return object;
}
