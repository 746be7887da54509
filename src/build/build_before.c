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
				build->status[i].why);
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

bool build_has_bases(const struct build *build)
{
	const struct plan *plan = build->plan;
	size_t i;

	for (i = 0; i < plan->image_count; i++) {
		int base = plan_base(plan, plan->stages[plan->images[i].stage].top);

		if (base != PLAN_NONE &&
		    !source_is_fetched(build->sources, plan->sources.items[base].locked))
			return false;
	}
	return true;
}
