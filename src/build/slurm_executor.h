/* SPDX-License-Identifier: Apache-2.0
 * The executor whose workers are the jobs of a Slurm cluster. All missing steps are submitted at
 * once, with the dependencies of the plan; a job runs `varve step run` on the shipped plan.
 *
 * In a store that the nodes share lie
 *	slurm/plans/HEX.json		shipped plans
 *	slurm/steps/HEX			the job that makes a step: "12_3 stage/step"; HEX is the
 *step's promise, since its key is not known before it starts
 *	slurm/results/JOB		what step run has to say at its end, one line of JSON
 *	slurm/output/JOB		its standard error: events, one JSON object a line
 * Nodes with stores of their own hand everything over through a shared cache; then only plans and
 * steps are here, and how a job ended is what Slurm says. */
#ifndef BUILD_SLURM_EXECUTOR_H
#define BUILD_SLURM_EXECUTOR_H

#include "build/build.h"
#include "build/executor.h"
#include "build/slurm.h"

struct slurm_options {
	const struct strv *fields; /* of the machine: NAME=VALUE (recipe_slurm_names) */
	const struct strv *command; /* program, "step", "run" and options; the job adds --result,
				       plan and step */
	const char *plan; /* text of the shipped plan, one line of JSON */
	bool shared; /* nodes see the store under the same path */
	bool detach; /* leave when all is submitted */
	/* Asked when the build is told to stop: true: leave the jobs alone. NULL: end them. */
	bool (*leaves)(void *cookie);
	void *cookie;
};

/* A step in Slurm's hands. */
struct slurm_watch {
	int step;
	char *name; /* stage/step; owned */
	struct slurm_job job;
	enum slurm_phase phase;
	char where[64]; /* node, or why it waits */
	bool own; /* we submitted it; else another varve did, and we wait for it */
	bool ended; /* told to the ready loop */
	unsigned missing; /* times that squeue did not list it, or listed it as ended */
	uint64_t read; /* bytes of its output that were told */
	char *memory; /* what its node's daemon said of too much memory; owned; NULL: nothing */
	struct strv tail; /* the last lines that it printed */
};

struct slurm_executor {
	const struct slurm_options *options;
	struct slurm_watch *watches; /* sorted by job, then task; owned */
	size_t count, alloc;
	int64_t asked; /* when squeue was, in ms of the monotonic clock */
	int64_t looked; /* when results were looked for */
};

/* Where all steps have ended it also cancels those of our jobs that Slurm has not begun: others
 * went on with their steps. */
void slurm_executor_release(struct slurm_executor *slurm);
struct executor executor_of_slurm(struct slurm_executor *slurm);

/* start of the executor. */
int slurm_submit(struct slurm_executor *slurm, struct build *build, const int *steps, size_t count,
		 struct varve_error *err);

/* --- the ledger of promises ----------------------------------------------------------------------
 */
/* What a step will be, whatever the layers below turn out to be: its own input and the promises of
 * what it needs. ret: one per step of the plan. */
void slurm_promises(const struct build *build, struct varve_digest *ret);
/* The job that is noted for a promise; false: none, or no sane one. */
bool slurm_ledger_read(struct varve_store *store, const struct varve_digest *promise,
		       struct slurm_job *ret);
int slurm_ledger_write(struct varve_store *store, const struct varve_digest *promise,
		       const struct slurm_job *job, const char *name, struct varve_error *err);
/* Calls each for every noted job that is in the queue (those that ended stay there for a while), in
 * the order of jobs; notes of others are removed. */
typedef void slurm_ledger_each(void *cookie, const struct slurm_state *state, const char *name);
int slurm_ledger_list(struct varve_store *store, slurm_ledger_each *each, void *cookie,
		      struct varve_error *err);

/* Removes results and output of jobs that are not in the queue: Slurm numbers anew one day. */
struct slurm_queue;
void slurm_prune(struct varve_store *store, const struct slurm_queue *queue);

/* --- the queue -----------------------------------------------------------------------------------
 */
/* The user's jobs, also those that ended a short while ago, sorted by job and task. */
struct slurm_queue {
	struct slurm_state *items; /* owned */
	size_t count, alloc;
};
void slurm_queue_release(struct slurm_queue *queue);
int slurm_queue_read(struct slurm_queue *ret, struct varve_error *err);
const struct slurm_state *slurm_queue_find(const struct slurm_queue *queue,
					   const struct slurm_job *job);
int slurm_job_compare(const struct slurm_job *a, const struct slurm_job *b);
/* Ends them. */
int slurm_cancel(const struct slurm_job *jobs, size_t count, struct varve_error *err);

#endif
