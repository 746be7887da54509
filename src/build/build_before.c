/* SPDX-License-Identifier: Apache-2.0 */
#include "build/build_before.h"

#include "base/buf.h"
#include "base/cleanup.h"

int build_refuse_misses(struct build *build, struct varve_error *err)
{
	size_t i;

	for (i = 0; i < build->plan->step_count; i++) {
		CLEANUP(free_ptr) char *name = plan_step_name(build->plan, (int)i);

		if (build->known[i].known)
			continue;
		varve_error_set(err, -VARVE_E_COMPARE, "step %s is not cached: %s", name,
				build->status[i].verdict == PLAN_DEPENDS
					? "what it depends on has to be looked at first"
					: build->status[i].why);
		varve_error_hint(err, "varve explain RECIPE %s tells every difference", name);
		return -VARVE_E_COMPARE;
	}
	return 0;
}

int build_refuse_losses(struct build *build, struct varve_error *err)
{
	size_t i;

	for (i = 0; i < build->plan->step_count; i++) {
		const struct plan_step *step = &build->plan->steps[i];
		CLEANUP(free_ptr) char *name = plan_step_name(build->plan, (int)i);

		if (build->known[i].known || !step->ownership_strict ||
		    build_loss(build, step) == SANDBOX_LOSES_NOTHING)
			continue;
		varve_error_set(err, -VARVE_E_HOST,
				"step %s wants exact owners (ownership: strict), which cannot be "
				"kept here: there is one id and no seccomp listener",
				name);
		varve_error_hint(err, "varve doctor tells what the host lacks");
		return -VARVE_E_HOST;
	}
	return 0;
}

/* The source that image number i stands on, or NULL. */
static const struct lock_source *base_of(const struct plan *plan, size_t i)
{
	return plan_base_locked(plan, plan->stages[plan->images[i].stage].top);
}

int build_look_at_bases(struct build *build, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; i < build->plan->image_count && r == 0; i++) {
		const struct lock_source *base = base_of(build->plan, i);

		if (base)
			r = source_image_look(build->sources, base, err);
	}
	return r;
}

bool build_has_bases(const struct build *build)
{
	for (size_t i = 0; i < build->plan->image_count; i++) {
		const struct lock_source *base = base_of(build->plan, i);

		if (base && !source_image_is_known(build->sources, base))
			return false;
	}
	return true;
}
