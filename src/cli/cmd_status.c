/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "build/slurm_executor.h"
#include "cli/cli_options.h"
#include "cli/session.h"

struct listing {
	bool json;
	json_t *jobs;
	struct buf text;
};

static void add(void *cookie, const struct slurm_state *state, const char *name)
{
	struct listing *listing = cookie;
	char job[SLURM_JOB_TEXT];
	json_t *one;

	slurm_job_text(&state->job, job);
	if (!listing->json) {
		buf_addf(&listing->text, "%-12s %-12s %-20s %s\n", job, state->word, state->where,
			 name);
		return;
	}
	one = json_object();
	json_set(one, "job", json_text(job));
	json_set(one, "state", json_text(state->word));
	json_set(one, "where", json_text(state->where));
	json_set(one, "step", json_text(name));
	json_append(listing->jobs, one);
}

int cmd_status(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(json_decrefp) json_t *jobs = json_array();
	struct listing listing = {cli->values.json, jobs, BUF_INIT};
	int r = session_open_store(&session, cli, err);

	if (r == 0)
		r = slurm_ledger_list(session.store, add, &listing, err);
	if (r == 0 && listing.json)
		json_canonical(jobs, &listing.text);
	if (r == 0)
		printf("%s%s", buf_text(&listing.text), listing.json ? "\n" : "");
	buf_release(&listing.text);
	return r;
}
