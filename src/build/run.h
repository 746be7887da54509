/* SPDX-License-Identifier: Apache-2.0
 * The ready loop's state, and its parts: what a step needs (run_sources.c), what can be begun
 * (run_advance.c), what has ended (run_ends.c). Only build_run.c and these use it. */
#ifndef BUILD_RUN_H
#define BUILD_RUN_H

#include "build/build.h"
#include "build/executor.h"
#include "build/worker_set.h"

enum run_source { RUN_SOURCE_NEEDED, RUN_SOURCE_COMING, RUN_SOURCE_HERE };

struct run {
	struct build *build;
	struct executor *executor; /* who makes steps */
	struct worker_set workers; /* all other work */
	enum run_source *sources; /* per source of the plan */
	bool *busy; /* per step: somebody is at it */
	bool *made; /* per step: the executor says that its record is there */
	int *order; /* of turns: build_order */
	size_t first; /* the steps of all turns before it are known */
	size_t asked; /* the sources of all steps before it are coming */
	bool *packing; /* per step: its trees are known, its record is not there yet */
	unsigned begun; /* steps that the executor has in hand */
	unsigned packed; /* of them: those that are packing */
	unsigned limit; /* of steps at once, for an executor that does not go ahead; those that are
			   packing have the same number of places beside */
	bool failed;
	struct varve_error *err;
	int result;
};

/* The first failure counts. */
void run_fail(struct run *run, int r);
/* Starts a worker for anything but a step. */
void run_start(struct run *run, enum worker_kind kind, int index);

/* --- what a step needs ---------------------------------------------------------------------------
 */
/* True when the layers of the image below top are here; asks for them. */
bool run_base_is_here(struct run *run, int top);
/* The same for the images that the wanted images stand on. */
bool run_bases_are_here(struct run *run);
/* Asks for all sources of a step, so that fetches start together and early; true when all are here.
 */
bool run_sources_are_here(struct run *run, const struct plan_step *step);
/* Asks for those of all steps, in the order of the plan, as many at once as may be. */
void run_ask_for_sources(struct run *run);

/* --- what can be begun ---------------------------------------------------------------------------
 */
void run_tell_cached(const struct build *build, int step);
/* Begins what can be; true when every wanted step is known. */
bool run_advance(struct run *run);

/* --- what has ended ------------------------------------------------------------------------------
 */
bool run_is_stopped(const struct run *run);
/* Waits a little for workers and executor, and takes note of what ended. */
void run_hear(struct run *run);

#endif
