/* SPDX-License-Identifier: Apache-2.0
 * Slurm, as far as no process is started: what is asked of sbatch, which steps share an array job,
 * and what squeue and scontrol answer. Pure; slurm_executor.c talks to the programs.
 *
 * A step is a job, or a task of an array of jobs: sbatch takes some milliseconds whatever it
 * submits, so that thousands of steps must not be as many calls. A task waits for its own
 * predecessor only (aftercorr), never for the rest of an array. */
#ifndef BUILD_SLURM_H
#define BUILD_SLURM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/strv.h"

/* --- which steps share a job ---------------------------------------------------------------------
 */
enum { SLURM_ALONE = -1 /* no task: a job that is no array */, SLURM_EACH = -2 };

/* A step that is to be submitted. */
struct slurm_step {
	int step; /* of the plan */
	char *name; /* stage/step; owned */
	struct strv resources; /* arguments of sbatch (slurm_resources); owned */
	int *needs; /* steps that are submitted, too, or run already; owned */
	size_t need_count;
	/* filled by slurm_group */
	size_t group;
	int task; /* index in the array job, or SLURM_ALONE */
};

/* One call of sbatch. */
struct slurm_group {
	long after; /* the group that all its steps wait for; -1: what a lone step waits for is
		       among its needs, and an array waits for nothing */
	int of; /* the task of that group that all wait for; SLURM_ALONE: it is a job of its own;
		   SLURM_EACH: each for the task of the same number */
	size_t count; /* steps */
	size_t first; /* of its steps: they ask for the same resources */
	bool *taken; /* numbers of tasks; NULL: a lone step; owned */
	long newest; /* the newest group that waits for this one; -1: none */
	long older; /* the next one that waits for the same; -1: none */
};
struct slurm_groups {
	struct slurm_group *items; /* in an order in which they can be submitted; owned */
	size_t count, alloc;
	size_t maximum; /* tasks of an array (MaxArraySize) */
	long newest; /* of those that wait for no group */
};
void slurm_groups_release(struct slurm_groups *groups);

/* Puts every step into a group. Steps stand in the order of the plan, each after what it needs.
 * ret->maximum is set by the caller. */
void slurm_group(struct slurm_step *steps, size_t count, struct slurm_groups *ret);

/* --- what is asked of sbatch ---------------------------------------------------------------------
 */
/* fields: NAME=VALUE, in rising weight (recipe_slurm_names). jobs, jobs_memory: as in struct
 * plan_step; they say cores and memory where the fields do not. */
void slurm_resources(const struct strv *fields, int64_t jobs, uint64_t jobs_memory,
		     struct strv *ret_arguments);
/* The batch script: runs `PROGRAM step run ARGUMENTS PLAN STEP` with the step of its task. tasks
 * and names: count of each; SLURM_ALONE for a job of its own. plan: a path; text: the plan itself,
 * to be read from the script (plan is NULL then).
 *
 * Slurm takes a second or so to fill a slot, so a job of less than SLURM_GO_ON seconds goes on with
 * steps of other tasks that nobody has begun (results/JOB.taken), the last ones first. That is only
 * ever work ahead: the task itself runs its step, too, which finds it made, waits for it, or makes
 * it where the other job has died. So nothing that Slurm does to a job needs to know of it. */
enum { SLURM_GO_ON = 60 };
struct slurm_script {
	const struct strv *command; /* program, "step", "run", options */
	const char *plan, *text;
	const char *results; /* directory for --result JOB; NULL: none */
	const char *output; /* directory of what a job prints, for tasks that it goes on with; NULL:
			       it does not, as each waits for another one */
	const int *tasks;
	const char *const *names;
	size_t count;
};
void slurm_write_script(const struct slurm_script *script, struct buf *ret);
/* Adds the numbers of tasks, which ascend: "0-3,7". */
void slurm_write_tasks(const int *tasks, size_t count, struct buf *ret);
/* A word for sh(1). */
void slurm_quote(const char *word, struct buf *ret);

/* --- what they answer ----------------------------------------------------------------------------
 */
/* A job, or a task of an array. task: SLURM_ALONE for the former. */
struct slurm_job {
	uint32_t id;
	int task;
};
enum { SLURM_JOB_TEXT = 32 };
const char *slurm_job_text(const struct slurm_job *job, char text[SLURM_JOB_TEXT]); /* "12_3" */
/* The whole text must be a job: "12" or "12_3". */
bool slurm_parse_job(const char *text, struct slurm_job *ret);
/* sbatch --parsable: "12" or "12;cluster". */
bool slurm_parse_submitted(const char *text, uint32_t *ret);

enum slurm_phase {
	SLURM_PENDING, /* also what is requeued */
	SLURM_RUNNING, /* also what is ending */
	SLURM_DONE,
	SLURM_FAILED,
};

/* A line of squeue in SLURM_QUEUE_FORMAT. */
struct slurm_state {
	struct slurm_job job;
	enum slurm_phase phase;
	char word[32]; /* as Slurm says it: "RUNNING" */
	char where[64]; /* the node; while it waits, the reason */
};
#define SLURM_QUEUE_FORMAT "%F|%K|%T|%N|%r"
bool slurm_parse_state(const char *line, struct slurm_state *ret);
/* True for a job that has not ended. NULL: false. */
bool slurm_is_alive(const struct slurm_state *state);

/* True for a line with which a node's daemon tells, in a job's output, that it took too much
 * memory.
 */
bool slurm_tells_memory(const char *line);
/* Why a job failed and what to ask for, from a line of `scontrol show job --oneliner`. said: the
 * daemon's line on memory, or NULL. Adds one line to ret_error and, where something may help, one
 * to ret_hint. */
void slurm_explain(const char *line, const char *said, struct buf *ret_error, struct buf *ret_hint);

#endif
