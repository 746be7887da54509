/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plan_gitlab.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "build/slurm.h"

/* JSON strings are YAML, and nothing in them is taken for something else. */
static void add_string(struct buf *ret, const char *text)
{
	CLEANUP(json_decrefp) json_t *string = json_text(text);

	json_canonical(string, ret);
}

/* What names need: a step of the same pipeline. */
static void add_needs(const struct build *build, int step, struct buf *ret)
{
	size_t room = plan_needs_room(build->plan, step), count, listed = 0;
	CLEANUP(free_ptr) int *needs = xcalloc(room + 1, sizeof(*needs));

	count = plan_needs(build->plan, step, needs, room);
	buf_addstr(ret, "  needs: [");
	for (size_t i = 0; i < count; i++) {
		CLEANUP(free_ptr) char *name = plan_step_name(build->plan, needs[i]);

		if (build->known[needs[i]].known)
			continue;
		buf_addstr(ret, listed++ > 0 ? ", " : "");
		add_string(ret, name);
	}
	buf_addstr(ret, "]\n");
}

static void add_job(const struct session *session, int step, const char *plan, struct buf *ret)
{
	CLEANUP(free_ptr) char *name = plan_step_name(session->plan, step);
	CLEANUP(buf_release) struct buf command = BUF_INIT;

	buf_addstr(&command, "varve step run --store \"$VARVE_STORE\" "
			     "--cache-from \"$VARVE_CACHE\" --cache-to \"$VARVE_CACHE\" ");
	slurm_quote(plan, &command);
	buf_addc(&command, ' ');
	slurm_quote(name, &command);
	add_string(ret, name);
	buf_addstr(ret, ":\n  stage: varve\n");
	add_needs(&session->build, step, ret);
	buf_addstr(ret, "  script: [");
	add_string(ret, buf_text(&command));
	buf_addstr(ret, "]\n");
}

void plan_gitlab(const struct session *session, const char *plan, struct buf *ret)
{
	size_t jobs = 0;

	buf_addstr(ret, "stages: [varve]\n");
	for (size_t i = 0; i < session->plan->step_count; i++) {
		if (session->build.known[i].known)
			continue;
		add_job(session, (int)i, plan, ret);
		jobs++;
	}
	/* A pipeline without a job is an error there. */
	if (jobs == 0)
		buf_addstr(ret, "everything-cached:\n  stage: varve\n  script: [\"true\"]\n");
}
