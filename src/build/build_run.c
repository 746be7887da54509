/* SPDX-License-Identifier: Apache-2.0
 * The ready loop: starts what can run, hears from workers, until every step is known. */
#include "build/build.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "build/build_before.h"
#include "build/build_order.h"
#include "build/worker.h"

enum { RUN_TICK = 200 /* ms */, RUN_GRACE = 20 /* ms */, RUN_FETCHES = 4 };

enum source_state { SOURCE_NEEDED, SOURCE_COMING, SOURCE_HERE };

struct run {
	struct build *build;
	struct worker *workers; /* those that run */
	size_t count, alloc;
	enum source_state *sources;
	bool *busy; /* per step: a worker is at it */
	int *order; /* of turns: build_order */
	size_t first; /* the steps of all turns before it are known */
	size_t asked; /* the sources of all steps before it are coming */
	unsigned limit; /* of steps at once */
	bool failed;
	struct varve_error *err;
	int result;
};

static void run_release(struct run *run)
{
	size_t i;

	for (i = 0; i < run->count; i++)
		worker_release(&run->workers[i]);
	free(run->workers);
	free(run->sources);
	free(run->busy);
	free(run->order);
}

static unsigned running(const struct run *run, enum worker_kind kind)
{
	unsigned count = 0;
	size_t i;

	for (i = 0; i < run->count; i++)
		count += run->workers[i].kind == kind;
	return count;
}

static void fail(struct run *run, int r)
{
	if (!run->failed)
		run->result = r;
	run->failed = true;
}

static void start(struct run *run, enum worker_kind kind, int index)
{
	struct worker *worker;
	int r;

	run->workers = array_grow(run->workers, run->count, &run->alloc, sizeof(*run->workers));
	worker = &run->workers[run->count];
	r = worker_start(run->build, kind, index, worker, run->err);
	if (r < 0) {
		fail(run, r);
		return;
	}
	run->count++;
	if (kind == WORKER_STEP || kind == WORKER_RESOLVE)
		run->busy[index] = true;
}

/* --- what a step needs -------------------------------------------------------------------------
 */

static bool source_is_here(struct run *run, int index)
{
	const struct plan_source *source = &run->build->plan->sources.items[index];

	if (run->sources[index] == SOURCE_NEEDED &&
	    (source->kind == SOURCE_LOCAL ||
	     source_is_fetched(run->build->sources, source->locked)))
		run->sources[index] = SOURCE_HERE;
	if (run->sources[index] == SOURCE_NEEDED && running(run, WORKER_FETCH) < RUN_FETCHES) {
		run->sources[index] = SOURCE_COMING;
		start(run, WORKER_FETCH, index);
	}
	return run->sources[index] == SOURCE_HERE;
}

/* The layers of an image below. */
static bool base_is_here(struct run *run, int top)
{
	int base = plan_base(run->build->plan, top);

	return base == PLAN_NONE || source_is_here(run, base);
}

/* An image names the layers of its base, whether a step had to look at them or not; those of a
 * registry may stay there. */
static bool bases_are_here(struct run *run)
{
	const struct build *build = run->build;
	const struct plan *plan = build->plan;
	bool here = true;
	size_t i;

	for (i = 0; i < plan->image_count && !run->failed; i++) {
		int top = plan->stages[plan->images[i].stage].top;
		const struct lock_source *base = plan_base_locked(plan, top);

		if (base && !source_image_is_known(build->sources, base))
			here = base_is_here(run, top) && here;
	}
	return here;
}

static bool content_is_here(struct run *run, const struct plan_mount *mount)
{
	if (mount->content == PLAN_FROM_SOURCE)
		return source_is_here(run, mount->index);
	return base_is_here(run, run->build->plan->stages[mount->index].top);
}

/* Asks for all of them, so that fetches start together and early. */
static bool sources_are_here(struct run *run, const struct plan_step *step)
{
	bool here = step->action == ACTION_COPY || base_is_here(run, step->below);
	size_t i;

	if (step->action == ACTION_INSTALL || step->action == ACTION_COPY)
		here = content_is_here(run, &step->from) && here;
	for (i = 0; i < step->mount_count; i++)
		here = content_is_here(run, &step->mounts[i]) && here;
	return here;
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

static void tell_cached(struct run *run, int index)
{
	CLEANUP(free_ptr) char *name = plan_step_name(run->build->plan, index);

	build_tell(run->build, VARVE_EVENT_CACHED, name, NULL);
}

/* A step whose layers below are known: found in the store, or started when its sources are here. */
static void advance(struct run *run, int index)
{
	struct build *build = run->build;
	bool here = sources_are_here(run, &build->plan->steps[index]);
	int r;

	if (run->failed || run->busy[index] || !plan_is_ready(build->plan, index, build->known))
		return;
	r = build_look_up(build, index, run->err);
	if (r < 0)
		fail(run, r);
	if (r == 1)
		tell_cached(run, index);
	if (r != 0)
		return;
	if (build->status[index].verdict == PLAN_DEPENDS) {
		if (base_is_here(run, build->plan->steps[index].below))
			start(run, WORKER_RESOLVE, index);
	} else if (here) {
		tell_start(run, index);
		start(run, WORKER_STEP, index);
	}
}

/* Early, and in the order of the plan; as many at once as may be. */
static void ask_for_sources(struct run *run)
{
	const struct build *build = run->build;

	while (run->asked < build->plan->step_count && !run->failed) {
		if (!build->known[run->asked].known)
			(void)sources_are_here(run, &build->plan->steps[run->asked]);
		if (running(run, WORKER_FETCH) >= RUN_FETCHES)
			return;
		run->asked++;
	}
}

static bool is_full(const struct run *run)
{
	return running(run, WORKER_STEP) + running(run, WORKER_RESOLVE) >= run->limit;
}

static bool all_are_known(struct run *run)
{
	while (run->first < run->build->plan->step_count &&
	       run->build->known[run->order[run->first]].known)
		run->first++;
	return run->first == run->build->plan->step_count;
}

/* Looks no further than to where there is no room for more: each end of a step comes here. */
static bool advance_all(struct run *run)
{
	struct build *build = run->build;
	size_t i;

	ask_for_sources(run);
	(void)all_are_known(run);
	for (i = run->first; i < build->plan->step_count && !run->failed && !is_full(run); i++)
		if (!build->known[run->order[i]].known)
			advance(run, run->order[i]);
	return all_are_known(run) && bases_are_here(run);
}

/* --- ends --------------------------------------------------------------------------------------
 */

static void step_ended(struct run *run, const struct worker *worker)
{
	struct build *build = run->build;
	struct plan_known *known = &build->known[worker->index];
	struct varve_layer *layer = &build->steps[worker->index].layer;
	const json_t *notices = json_object_get(worker->result, "notices");
	size_t i;

	if (layer_from_json(json_object_get(worker->result, "layer"), layer, run->err) < 0) {
		fail(run, -VARVE_E_FORMAT);
		return;
	}
	known->known = true;
	known->empty = layer->entry_count == 0;
	known->diff_id = layer->diff_id;
	/* Another process may have made it, in its own compression. */
	snprintf(build->steps[worker->index].compression,
		 sizeof(build->steps[worker->index].compression), "%s",
		 json_optional_string(worker->result, "compression", ""));
	for (i = 0; i < json_array_size(notices); i++)
		build_tell(build, VARVE_EVENT_NOTICE, worker->name,
			   json_string_value(json_array_get(notices, i)));
	build_event(build, &(struct varve_event){.kind = VARVE_EVENT_DONE,
						 .step = worker->name,
						 .total = known->empty ? 0 : layer->blob.size});
}

static bool stopped(const struct run *run)
{
	return run->build->options->stop && *run->build->options->stop;
}

/* A signal to the whole process group reaches the workers and us in no order: what looks like the
 * failure of a worker may be the end of us all. */
static bool stops_soon(const struct run *run)
{
	if (run->build->options->stop && !stopped(run))
		(void)poll(NULL, 0, RUN_GRACE);
	return stopped(run);
}

static void hint_at_step(const struct run *run, const struct worker *worker)
{
	int64_t jobs = run->build->plan->steps[worker->index].jobs;
	CLEANUP(buf_release) struct buf memory = BUF_INIT;
	char hex[VARVE_DIGEST_HEX];

	compile_explain(&worker->compile, compile_kills(), (uint64_t)jobs, &memory);
	if (memory.len > 0)
		varve_error_hint(run->err, "%s", buf_text(&memory));
	if (worker->log_fd >= 0)
		varve_error_hint(run->err, "log: %s/logs/%s.log", store_path(run->build->store),
				 varve_digest_hex(&run->build->steps[worker->index].key, hex));
	varve_error_hint(run->err, "to look around: varve shell --failed RECIPE %s", worker->name);
}

static void worker_failed(struct run *run, const struct worker *worker, int r)
{
	CLEANUP(buf_release) struct buf tail = BUF_INIT;
	bool first = !run->failed;

	if (first && stops_soon(run))
		return;
	fail(run, r);
	if (!first)
		return;
	worker_tail(worker, &tail);
	build_event(run->build,
		    &(struct varve_event){.kind = VARVE_EVENT_FAILED,
					  .step = worker->name,
					  .text = run->err->text,
					  .why = tail.len > 0 ? buf_text(&tail) : NULL});
	varve_error_prefix(run->err, "%s %s", worker->kind == WORKER_FETCH ? "source" : "step",
			   worker->name);
	if (worker->kind == WORKER_STEP && r == -VARVE_E_STEP)
		hint_at_step(run, worker);
}

static void ended(struct run *run, size_t at)
{
	struct worker worker = run->workers[at];
	struct varve_error own = {0};
	int r;

	run->workers[at] = run->workers[--run->count];
	r = worker_reap(&worker, run->failed ? &own : run->err);
	if (worker.kind == WORKER_STEP || worker.kind == WORKER_RESOLVE)
		run->busy[worker.index] = false;
	if (r < 0 && worker.kind != WORKER_SWEEP)
		worker_failed(run, &worker, r);
	else if (worker.kind == WORKER_STEP)
		step_ended(run, &worker);
	else if (worker.kind == WORKER_FETCH)
		run->sources[worker.index] = SOURCE_HERE;
	worker_release(&worker);
}

static void hear(struct run *run)
{
	CLEANUP(free_ptr) struct pollfd *fds = xcalloc(run->count * 2 + 1, sizeof(*fds));
	size_t i, count = run->count;
	int ready;

	for (i = 0; i < count; i++) {
		fds[2 * i] = (struct pollfd){.fd = run->workers[i].result_fd, .events = POLLIN};
		fds[2 * i + 1] = (struct pollfd){.fd = run->workers[i].output_fd, .events = POLLIN};
	}
	ready = poll(fds, 2 * count, RUN_TICK);
	build_tell(run->build, VARVE_EVENT_TICK, NULL, NULL);
	for (i = 0; ready > 0 && i < 2 * count; i++)
		if (fds[i].revents != 0)
			worker_read(run->build, &run->workers[i / 2], fds[i].fd);
	for (i = 0; i < count; i++)
		worker_watch(run->build, &run->workers[i]);
	for (i = count; i-- > 0;)
		if (worker_ended(&run->workers[i]))
			ended(run, i);
}

static void end_all(struct run *run)
{
	size_t i;

	for (i = 0; i < run->count; i++)
		worker_kill(&run->workers[i]);
}

static void loop(struct run *run)
{
	while (!stopped(run) && !run->failed && (!advance_all(run) || run->count > 0))
		if (!run->failed)
			hear(run);
	end_all(run);
	if (stopped(run) && !run->failed)
		fail(run, varve_error_set(run->err, -VARVE_E_CANCELLED, "stopped"));
}

static void tell_plan(struct build *build, bool *ret_complete)
{
	uint64_t known = 0;
	size_t i;

	for (i = 0; i < build->plan->step_count; i++)
		known += build->known[i].known;
	*ret_complete = known == build->plan->step_count;
	build_event(build, &(struct varve_event){.kind = VARVE_EVENT_PLAN,
						 .done = known,
						 .total = build->plan->step_count});
	for (i = 0; i < build->plan->step_count; i++) {
		CLEANUP(free_ptr) char *name = plan_step_name(build->plan, (int)i);

		if (build->known[i].known)
			build_tell(build, VARVE_EVENT_CACHED, name, NULL);
	}
}

static unsigned limit_of(const struct build *build)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (build->options->jobs > 0)
		return build->options->jobs;
	return cores > 1 ? (unsigned)cores : 2;
}

int build_run(struct build *build, struct varve_error *err)
{
	struct varve_error own = {0};
	CLEANUP(run_release) struct run run = {.build = build, .err = err ? err : &own};
	bool complete;
	int r;

	tell_plan(build, &complete);
	if (!complete && build->options->expect_cached)
		return build_refuse_misses(build, err);
	if (complete && build_has_bases(build))
		return 0;
	if (build_refuse_losses(build, err) < 0)
		return -VARVE_E_HOST;
	r = build_look_at_bases(build, err);
	if (r < 0)
		return r;
	run.sources = xcalloc(build->plan->sources.count + 1, sizeof(*run.sources));
	run.busy = xcalloc(build->plan->step_count, sizeof(*run.busy));
	run.order = build_order(build->plan);
	run.limit = limit_of(build);
	if (store_needs_sweep(build->store))
		start(&run, WORKER_SWEEP, 0);
	loop(&run);
	build_remember(build);
	return run.result;
}
