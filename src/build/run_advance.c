/* SPDX-License-Identifier: Apache-2.0
 * Which steps can be begun. */
#include "build/run.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"

/* Steps in the order of the plan. */
static void begin_steps(struct run *run, const int *steps, size_t count)
{
	int r = run->executor->start(run->executor->cookie, run->build, steps, count, run->err);

	if (r < 0)
		run_fail(run, r);
	for (size_t i = 0; i < count && r == 0; i++)
		run->busy[steps[i]] = true;
	run->begun += r == 0 ? (unsigned)count : 0;
}

static void tell_start(struct run *run, int index)
{
	const struct plan_step *step = &run->build->plan->steps[index];
	CLEANUP(free_ptr) char *name = plan_step_name(run->build->plan, index);
	static const char *const verbs[] = {
		[ACTION_INSTALL] = "install", [ACTION_COPY] = "copy", [ACTION_RUN] = "run"};

	build_event(run->build, &(struct varve_event){.kind = VARVE_EVENT_STARTED,
						      .step = name,
						      .text = verbs[step->action],
						      .why = run->build->status[index].why});
}

void run_tell_cached(const struct build *build, int index)
{
	CLEANUP(free_ptr) char *name = plan_step_name(build->plan, index);

	build_tell(build, VARVE_EVENT_CACHED, name, NULL);
}

/* The executor said that it is there. */
static void lost_record(struct run *run, int index)
{
	CLEANUP(free_ptr) char *name = plan_step_name(run->build->plan, index);

	varve_error_set(run->err, -VARVE_E_NOT_FOUND,
			"step %s was made, but its record is not in the store", name);
	varve_error_hint(run->err, "a gc may have run meanwhile: build again");
	run_fail(run, -VARVE_E_NOT_FOUND);
}

/* A step whose layers below are known: found in the store, or started when its sources are here. */
static void advance(struct run *run, int index)
{
	struct build *build = run->build;
	bool here = run_sources_are_here(run, &build->plan->steps[index]);
	int r;

	if (run->failed || run->busy[index] || !plan_is_ready(build->plan, index, build->known))
		return;
	r = build_look_up(build, index, run->err);
	if (r < 0)
		run_fail(run, r);
	if (r == 1)
		run_tell_cached(build, index);
	if (r != 0)
		return;
	if (run->made[index] && build->status[index].verdict == PLAN_MISS) {
		lost_record(run, index);
	} else if (build->status[index].verdict == PLAN_DEPENDS) {
		if (run_base_is_here(run, build->plan->steps[index].below))
			run_start(run, WORKER_RESOLVE, index);
	} else if (here) {
		tell_start(run, index);
		begin_steps(run, &index, 1);
	}
}

static bool is_full(const struct run *run)
{
	unsigned at_work =
		run->begun - run->packed + worker_set_running(&run->workers, WORKER_RESOLVE);

	return at_work >= run->limit || run->packed >= run->limit;
}

/* For good: its record is there, or nobody wants it. */
static bool is_settled(const struct run *run, int step)
{
	return (run->build->known[step].known && !run->packing[step]) ||
	       !build_wants(run->build, (size_t)step);
}

static bool all_are_known(struct run *run)
{
	while (run->first < run->build->plan->step_count && is_settled(run, run->order[run->first]))
		run->first++;
	return run->first == run->build->plan->step_count;
}

/* --- an executor that goes ahead ---------------------------------------------------------------
 */

static bool sources_of_all_are_here(struct run *run)
{
	const struct plan *plan = run->build->plan;
	bool here = true;

	for (size_t i = 0; i < plan->step_count && !run->failed; i++)
		if (!run->build->known[i].known && !run->busy[i])
			here = run_sources_are_here(run, &plan->steps[i]) && here;
	return here && !run->failed;
}

/* Everything that is missing, at once. */
static void begin_ahead(struct run *run)
{
	struct build *build = run->build;
	CLEANUP(free_ptr) int *steps = xcalloc(build->plan->step_count + 1, sizeof(*steps));
	size_t count = 0;

	if (run->executor->wants_sources && !sources_of_all_are_here(run))
		return;
	for (size_t i = 0; i < build->plan->step_count; i++)
		if (!build->known[i].known && !run->busy[i] && !run->made[i])
			steps[count++] = (int)i;
	for (size_t i = 0; i < count; i++)
		tell_start(run, steps[i]);
	if (count > 0)
		begin_steps(run, steps, count);
}

/* Steps that were made become known in the order of the plan. */
static void advance_ahead(struct run *run)
{
	struct build *build = run->build;

	for (size_t i = 0; i < build->plan->step_count && !run->failed; i++)
		if (run->made[i] && !build->known[i].known)
			advance(run, (int)i);
	begin_ahead(run);
}

/* Looks no further than to where there is no room for more: each end of a step comes here. */
static void advance_ready(struct run *run)
{
	struct build *build = run->build;

	run_ask_for_sources(run);
	for (size_t i = run->first; i < build->plan->step_count && !run->failed && !is_full(run);
	     i++)
		if (!build->known[run->order[i]].known && build_wants(build, (size_t)run->order[i]))
			advance(run, run->order[i]);
}

/* True at the end. */
bool run_advance(struct run *run)
{
	(void)all_are_known(run);
	if (run->executor->ahead)
		advance_ahead(run);
	else
		advance_ready(run);
	return all_are_known(run) && (run->build->wanted || run_bases_are_here(run));
}
