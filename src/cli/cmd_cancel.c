/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "build/slurm_executor.h"
#include "cli/cli_options.h"
#include "cli/session.h"

struct choice {
	const struct strv *names; /* empty: all */
	struct slurm_job *jobs; /* owned */
	size_t count, alloc;
};

static void add(void *cookie, const struct slurm_state *state, const char *name)
{
	struct choice *choice = cookie;
	char job[SLURM_JOB_TEXT];

	if (!slurm_is_alive(state))
		return;
	if (choice->names->count > 0 && !strv_contains(choice->names, name))
		return;
	choice->jobs =
		array_grow(choice->jobs, choice->count, &choice->alloc, sizeof(*choice->jobs));
	choice->jobs[choice->count++] = state->job;
	printf("%s %s\n", slurm_job_text(&state->job, job), name);
}

int cmd_cancel(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	struct choice choice = {.names = &cli->arguments};
	int r = session_open_store(&session, cli, err);

	if (r == 0)
		r = slurm_ledger_list(session.store, add, &choice, err);
	if (r == 0)
		r = slurm_cancel(choice.jobs, choice.count, err);
	free(choice.jobs);
	return r;
}
