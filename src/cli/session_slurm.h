/* SPDX-License-Identifier: Apache-2.0
 * --executor slurm: what a session hands to the executor, and to the jobs' command lines.
 *
 * Settings of the machine, "slurm": the fields of a step's slurm (recipe_slurm_names), and
 *	program		varve on the nodes (default: the path of this one)
 *	node-store	as --node-store
 *	scratch		as --scratch, for the jobs; "$NAME" is looked up where a job runs */
#ifndef CLI_SESSION_SLURM_H
#define CLI_SESSION_SLURM_H

#include "build/slurm_executor.h"
#include "cli/session.h"

struct session_slurm {
	struct slurm_options options;
	struct slurm_executor slurm;
	struct executor executor;
	struct strv fields, command;
	struct buf plan;
};

/* Checks --executor, --detach, --node-store and the settings. true in *ret: slurm is asked for. */
int session_wants_slurm(const struct cli *cli, const json_t *config, bool *ret,
			struct varve_error *err);
/* What the jobs are told as --scratch, or NULL. */
const char *session_slurm_scratch(const struct cli *cli, const json_t *config);
/* Of an opened session. */
int session_slurm_init(struct session_slurm *ret, struct session *session, struct varve_error *err);
void session_slurm_release(struct session_slurm *slurm);
/* "JOB STAGE/STEP" of each step that was begun, in the order of jobs. */
void session_slurm_print(const struct session_slurm *slurm, struct buf *ret);

#endif
