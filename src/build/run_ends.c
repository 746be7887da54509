/* SPDX-License-Identifier: Apache-2.0
 * What workers and the executor tell, and what that means for the build. */
#include "build/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"

enum { RUN_TICK = 200 /* ms */, RUN_GRACE = 20 /* ms */, RUN_EXECUTOR = 1024 /* descriptors */ };

bool run_is_stopped(const struct run *run)
{
	return run->build->options->stop && *run->build->options->stop;
}

/* A signal to the whole process group reaches the workers and us in no order: what looks like the
 * failure of a worker may be the end of us all. */
static bool stops_soon(const struct run *run)
{
	if (run->build->options->stop && !run_is_stopped(run))
		(void)poll(NULL, 0, RUN_GRACE);
	return run_is_stopped(run);
}

/* What the first failure says. text: of the error, without whose it is. */
static void tell_failure(struct run *run, const char *name, const char *tail)
{
	build_event(run->build, &(struct varve_event){.kind = VARVE_EVENT_FAILED,
						      .step = name,
						      .text = run->err->text,
						      .why = *tail ? tail : NULL});
}

static void worker_failed(struct run *run, const struct worker *worker, int r)
{
	bool first = !run->failed;

	if (first && stops_soon(run))
		return;
	run_fail(run, r);
	if (!first)
		return;
	tell_failure(run, worker->name, "");
	varve_error_prefix(run->err, "%s %s", worker->kind == WORKER_FETCH ? "source" : "step",
			   worker->name);
}

static void worker_done(struct run *run, struct worker *worker)
{
	struct varve_error own = {0};
	int r = worker_reap(worker, run->failed ? &own : run->err);

	if (worker->kind == WORKER_RESOLVE)
		run->busy[worker->index] = false;
	if (r < 0 && worker->kind != WORKER_SWEEP)
		worker_failed(run, worker, r);
	else if (worker->kind == WORKER_FETCH)
		run->sources[worker->index] = RUN_SOURCE_HERE;
}

/* Of a step whose blobs were let finish, in a line: a full disk is often what both failed for, and
 * only this one can say so. */
static void tell_second(struct run *run, const char *name, const struct executor_end *end)
{
	if (end->error)
		varve_error_hint(run->err, "step %s failed, too: %.*s", name,
				 (int)strcspn(end->error, "\n"), end->error);
}

static void step_failed(struct run *run, const struct executor_end *end)
{
	CLEANUP(free_ptr) char *name = plan_step_name(run->build->plan, end->step);
	CLEANUP(buf_release) struct buf tail = BUF_INIT;
	bool first = !run->failed;

	if (first && stops_soon(run))
		return;
	run_fail(run, end->result);
	if (!first) {
		tell_second(run, name, end);
		return;
	}
	varve_error_set(run->err, end->result, "%.1000s", end->error ? end->error : "failed");
	run->executor->log(run->executor->cookie, run->build, end->step, &tail);
	tell_failure(run, name, tail.len > 0 ? buf_text(&tail) : "");
	varve_error_prefix(run->err, "step %s", name);
	for (size_t i = 0; i < end->hints.count; i++)
		varve_error_hint(run->err, "%s", end->hints.items[i]);
}

/* What waits for the step needs its trees alone: it is known until its record takes that over. */
static void step_is_packing(struct run *run, struct executor_end *end)
{
	struct plan_known *known = &run->build->known[end->step];

	run->packing[end->step] = true;
	run->packed++;
	known->known = true;
	layer_list_release(&known->layers);
	known->layers = end->layers;
	end->layers = (struct layer_list){0};
}

static void step_ended(struct run *run, int step)
{
	run->busy[step] = false;
	run->begun--;
	if (!run->packing[step])
		return;
	run->packing[step] = false;
	run->packed--;
	run->build->known[step].known = false;
}

/* The record has it now. Workers are forks, and each costs what memory we have. */
static void forget_input(struct build *build, int step)
{
	json_decref(build->steps[step].input);
	build->steps[step].input = NULL;
}

/* Its record says what it yields: of another process, too, in its own compression. */
static void step_made(struct run *run, const struct executor_end *end)
{
	struct build *build = run->build;
	CLEANUP(free_ptr) char *name = plan_step_name(build->plan, end->step);

	run->made[end->step] = true;
	for (size_t i = 0; i < end->notices.count; i++)
		build_tell(build, VARVE_EVENT_NOTICE, name, end->notices.items[i]);
	if (build->cache && build->cache->renew)
		build->cache->renew(build->cache->cookie);
	if (run->executor->ahead)
		store_refresh(build->store); /* who made it is elsewhere */
	if (!plan_is_ready(build->plan, end->step, build->known))
		return;
	if (build_look_up(build, end->step, run->failed ? NULL : run->err) != 1)
		return;
	forget_input(build, end->step);
	build_event(build, &(struct varve_event){.kind = VARVE_EVENT_DONE,
						 .step = name,
						 .total = build->status[end->step].size});
}

static void hear_step(struct run *run, struct executor_end *end)
{
	if (end->trees_only) {
		step_is_packing(run, end);
		return;
	}
	step_ended(run, end->step);
	if (end->result < 0)
		step_failed(run, end);
	else
		step_made(run, end);
}

static void hear_executor(struct run *run)
{
	struct executor_end end = {0};
	int r;

	while ((r = run->executor->wait(run->executor->cookie, run->build, &end,
					run->failed ? NULL : run->err)) == 1) {
		hear_step(run, &end);
		executor_end_release(&end);
	}
	if (r < 0)
		run_fail(run, r);
}

void run_hear(struct run *run)
{
	size_t own = run->workers.count * WORKER_DESCRIPTORS, count;
	CLEANUP(free_ptr) struct pollfd *fds = xcalloc(own + RUN_EXECUTOR, sizeof(*fds));
	struct executor *executor = run->executor;
	struct worker worker;

	count = worker_set_descriptors(&run->workers, fds);
	if (executor->descriptors)
		count += executor->descriptors(executor->cookie, fds + count, RUN_EXECUTOR);
	(void)poll(fds, count, RUN_TICK);
	build_tell(run->build, VARVE_EVENT_TICK, NULL, NULL);
	worker_set_hear(&run->workers, run->build);
	while (worker_set_take_ended(&run->workers, &worker)) {
		worker_done(run, &worker);
		worker_release(&worker);
	}
	if (run->begun > 0)
		hear_executor(run);
}
