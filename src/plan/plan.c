/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "plan/plan_compile.h"

static void mount_release(struct plan_mount *mount)
{
	free(mount->target);
	free(mount->path);
}

static void step_release(struct plan_step *step)
{
	size_t i;

	free(step->name);
	mount_release(&step->from);
	free(step->to);
	free(step->interpreter);
	free(step->layout);
	strv_release(&step->wheels);
	strv_release(&step->exclude);
	strv_release(&step->argv);
	strv_release(&step->environment);
	strv_release(&step->unkeyed_environment);
	strv_release(&step->slurm);
	free(step->workdir);
	free(step->user);
	for (i = 0; i < step->mount_count; i++)
		mount_release(&step->mounts[i]);
	free(step->mounts);
	for (i = 0; i < step->cache_count; i++) {
		free(step->caches[i].target);
		free(step->caches[i].name);
	}
	free(step->caches);
	free(step->resume);
	strv_release(&step->secrets);
	for (i = 0; i < step->ownership_count; i++)
		free(step->ownership[i].path);
	free(step->ownership);
	strv_release(&step->scrub);
	strv_release(&step->split);
}

static void image_release(struct plan_image *image)
{
	free(image->name_in_recipe);
	free(image->name);
	json_decref(image->config);
	json_decref(image->checks);
}

void plan_sources_release(struct plan_sources *sources)
{
	size_t i;

	for (i = 0; i < sources->count; i++) {
		free(sources->items[i].name);
		json_decref(sources->items[i].spec);
	}
	free(sources->items);
	*sources = (struct plan_sources){0};
}

void plan_free(struct plan *plan)
{
	size_t i;

	if (!plan)
		return;
	free(plan->recipe_name);
	free(plan->platform);
	plan_sources_release(&plan->sources);
	for (i = 0; i < plan->stage_count; i++) {
		free(plan->stages[i].name);
		strv_release(&plan->stages[i].environment);
	}
	free(plan->stages);
	for (i = 0; i < plan->step_count; i++)
		step_release(&plan->steps[i]);
	free(plan->steps);
	for (i = 0; i < plan->image_count; i++)
		image_release(&plan->images[i]);
	free(plan->images);
	free(plan);
}

void plan_freep(struct plan **plan)
{
	plan_free(*plan);
	*plan = NULL;
}

char *plan_step_name(const struct plan *plan, int step)
{
	const struct plan_step *s = &plan->steps[step];

	return xasprintf("%s/%s", plan->stages[s->stage].name, s->name);
}

char *plan_suggest(const char *word, const struct strv *names)
{
	const char *nearest = NULL;

	if (names->count > 0)
		nearest = str_nearest(word, (const char *const *)names->items);
	return nearest ? xasprintf("; did you mean \"%s\"?", nearest) : xstrdup("");
}

static int no_such_step(const struct plan *plan, const char *name, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(strv_release) struct strv all = STRV_INIT;
	CLEANUP(free_ptr) char *suggestion = NULL;
	CLEANUP(free_ptr) char *list = NULL;
	bool whole = strchr(name, '/') != NULL;
	size_t i;
	int r;

	for (i = 0; i < plan->step_count; i++) {
		strv_take(&all, plan_step_name(plan, (int)i));
		strv_add(&names, whole ? all.items[i] : plan->steps[i].name);
	}
	suggestion = plan_suggest(name, &names);
	list = strv_join(&all, ", ");
	r = varve_error_set(err, -VARVE_E_USAGE, "the plan has no step \"%s\"%s", name, suggestion);
	varve_error_hint(err, "steps: %.700s", list);
	return r;
}

int plan_find_step(const struct plan *plan, const char *name, struct varve_error *err)
{
	int found = PLAN_NONE;
	size_t i;

	for (i = 0; i < plan->step_count; i++) {
		CLEANUP(free_ptr) char *whole = plan_step_name(plan, (int)i);

		if (str_equal(whole, name))
			return (int)i;
		if (!str_equal(plan->steps[i].name, name))
			continue;
		if (found != PLAN_NONE)
			return varve_error_set(err, -VARVE_E_USAGE,
					       "several stages have a step \"%s\": write STAGE/%s "
					       "(%s/%s or %s)",
					       name, name,
					       plan->stages[plan->steps[found].stage].name, name,
					       whole);
		found = (int)i;
	}
	return found != PLAN_NONE ? found : no_such_step(plan, name, err);
}
