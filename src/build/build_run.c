/* SPDX-License-Identifier: Apache-2.0
 * The ready loop: begins what can be, hears what ended, until every step is known. */
#include "build/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "build/build_before.h"
#include "build/build_order.h"

static void run_release(struct run *run)
{
	worker_set_release(&run->workers);
	free(run->sources);
	free(run->busy);
	free(run->made);
	free(run->packing);
	free(run->order);
}

void run_fail(struct run *run, int r)
{
	if (!run->failed)
		run->result = r;
	run->failed = true;
}

void run_start(struct run *run, enum worker_kind kind, int index)
{
	int r = worker_set_start(&run->workers, run->build, kind, index, run->err);

	if (r < 0)
		run_fail(run, r);
	else if (kind == WORKER_RESOLVE)
		run->busy[index] = true;
}

static bool leaves(const struct run *run, bool stop)
{
	const struct executor *executor = run->executor;

	return run->begun > 0 && !run->failed && executor->leaves &&
	       executor->leaves(executor->cookie, stop);
}

/* After a failure: steps that are done but for their blobs are not to be made again. */
static void finish_packing(struct run *run)
{
	if (!run->failed || run->packed == 0)
		return;
	worker_set_release(&run->workers);
	run->executor->abort(run->executor->cookie, run->build, true);
	run->begun = run->packed;
	while (run->packed > 0 && !run_is_stopped(run))
		run_hear(run);
}

static void loop(struct run *run)
{
	struct executor *executor = run->executor;
	bool left = false;

	while (!left && !run_is_stopped(run) && !run->failed &&
	       (!run_advance(run) || run->workers.count > 0 || run->begun > 0)) {
		left = leaves(run, false);
		if (!left && !run->failed)
			run_hear(run);
	}
	worker_set_kill(&run->workers);
	finish_packing(run);
	left = left || (run_is_stopped(run) && leaves(run, true));
	if (left)
		run->result = 1;
	else if (run->begun > 0)
		executor->abort(executor->cookie, run->build, false);
	if (!left && run_is_stopped(run) && !run->failed)
		run_fail(run, varve_error_set(run->err, -VARVE_E_CANCELLED, "stopped"));
}

static void tell_plan(struct build *build, bool *ret_complete)
{
	uint64_t known = 0, total = 0;
	size_t i;

	for (i = 0; i < build->plan->step_count; i++) {
		total += build_wants(build, i);
		known += build_wants(build, i) && build->known[i].known;
	}
	*ret_complete = known == total;
	build_event(build,
		    &(struct varve_event){.kind = VARVE_EVENT_PLAN, .done = known, .total = total});
	for (i = 0; i < build->plan->step_count; i++)
		if (build_wants(build, i) && build->known[i].known)
			run_tell_cached(build, (int)i);
}

static unsigned limit_of(const struct build *build)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (build->options->jobs > 0)
		return build->options->jobs;
	return cores > 1 ? (unsigned)cores : 2;
}

static int run_missing(struct build *build, struct executor *executor, struct varve_error *err)
{
	struct varve_error own = {0};
	CLEANUP(run_release)
	struct run run = {.build = build,
			  .executor = executor,
			  .limit = limit_of(build),
			  .err = err ? err : &own};

	run.sources = xcalloc(build->plan->sources.count + 1, sizeof(*run.sources));
	run.busy = xcalloc(build->plan->step_count, sizeof(*run.busy));
	run.order = build_order(build->plan);
	run.made = xcalloc(build->plan->step_count, sizeof(*run.made));
	run.packing = xcalloc(build->plan->step_count, sizeof(*run.packing));
	if (store_needs_sweep(build->store))
		run_start(&run, WORKER_SWEEP, 0);
	loop(&run);
	build_remember(build);
	return run.result;
}

int build_run(struct build *build, struct executor *executor, struct varve_error *err)
{
	CLEANUP(executor_local_freep) struct executor_local *local = NULL;
	struct executor here;
	bool complete;
	int r;

	tell_plan(build, &complete);
	if (!complete && build->options->expect_cached)
		return build_refuse_misses(build, err);
	if (complete && (build->wanted || build_has_bases(build)))
		return 0;
	if (!executor && build_refuse_losses(build, err) < 0)
		return -VARVE_E_HOST;
	r = build->wanted ? 0 : build_look_at_bases(build, err);
	if (r < 0)
		return r;
	local = executor_local_new();
	here = executor_of_local(local);
	return run_missing(build, executor ? executor : &here, err);
}
