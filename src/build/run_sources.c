/* SPDX-License-Identifier: Apache-2.0
 * What a step needs beside the layers below, and fetching it. */
#include "build/run.h"

enum { RUN_FETCHES = 4 };

static bool source_is_here(struct run *run, int index)
{
	const struct plan_source *source = &run->build->plan->sources.items[index];

	if (run->sources[index] == RUN_SOURCE_NEEDED &&
	    (source->kind == SOURCE_LOCAL ||
	     source_is_fetched(run->build->sources, source->locked)))
		run->sources[index] = RUN_SOURCE_HERE;
	if (run->sources[index] == RUN_SOURCE_NEEDED &&
	    worker_set_running(&run->workers, WORKER_FETCH) < RUN_FETCHES) {
		run->sources[index] = RUN_SOURCE_COMING;
		run_start(run, WORKER_FETCH, index);
	}
	return run->sources[index] == RUN_SOURCE_HERE;
}

/* The layers of an image below. */
bool run_base_is_here(struct run *run, int top)
{
	int base = plan_base(run->build->plan, top);

	return base == PLAN_NONE || source_is_here(run, base);
}

/* An image names the layers of its base, whether a step had to look at them or not; those of a
 * registry may stay there. */
bool run_bases_are_here(struct run *run)
{
	const struct build *build = run->build;
	const struct plan *plan = build->plan;
	bool here = true;
	size_t i;

	for (i = 0; i < plan->image_count && !run->failed; i++) {
		int top = plan->stages[plan->images[i].stage].top;
		const struct lock_source *base = plan_base_locked(plan, top);

		if (base && !source_image_is_known(build->sources, base))
			here = run_base_is_here(run, top) && here;
	}
	return here;
}

static bool content_is_here(struct run *run, const struct plan_mount *mount)
{
	if (mount->content == PLAN_FROM_SOURCE)
		return source_is_here(run, mount->index);
	return run_base_is_here(run, run->build->plan->stages[mount->index].top);
}

/* Asks for all of them, so that fetches start together and early. */
bool run_sources_are_here(struct run *run, const struct plan_step *step)
{
	bool here = step->action == ACTION_COPY || run_base_is_here(run, step->below);
	size_t i;

	if (step->action == ACTION_INSTALL || step->action == ACTION_COPY)
		here = content_is_here(run, &step->from) && here;
	for (i = 0; i < step->mount_count; i++)
		here = content_is_here(run, &step->mounts[i]) && here;
	return here;
}

/* Early, and in the order of the plan; as many at once as may be. */
void run_ask_for_sources(struct run *run)
{
	const struct build *build = run->build;

	while (run->asked < build->plan->step_count && !run->failed) {
		if (!build->known[run->asked].known && build_wants(build, run->asked))
			(void)run_sources_are_here(run, &build->plan->steps[run->asked]);
		if (worker_set_running(&run->workers, WORKER_FETCH) >= RUN_FETCHES)
			return;
		run->asked++;
	}
}
