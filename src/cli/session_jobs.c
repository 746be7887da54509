/* SPDX-License-Identifier: Apache-2.0
 * How many jobs the steps run that are still to be made: for "auto" the host says, and of a number
 * that the memory does not bear the user is told. */
#include "cli/session_jobs.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/capacity.h"
#include "base/cleanup.h"
#include "base/size_text.h"

static void tell(struct session *session, int step, const char *text)
{
	CLEANUP(free_ptr) char *name = plan_step_name(session->plan, step);
	CLEANUP(free_ptr) char *line = xasprintf("%s: %s", name, text);

	build_tell(&session->build, VARVE_EVENT_NOTICE, NULL, line);
}

static void choose(struct session *session, int index, uint64_t memory)
{
	struct plan_step *step = &session->plan->steps[index];
	unsigned cores = capacity_cores();
	int64_t jobs = capacity_jobs(cores, memory, step->jobs_memory);
	char each[16], room[16];
	CLEANUP(free_ptr) char *text = NULL;

	plan_set_jobs(step, jobs);
	if (step->jobs_memory > 0)
		text = xasprintf("%" PRId64 " jobs: %u cores, %s free, up to %s a job", jobs, cores,
				 size_text(memory, room), size_text(step->jobs_memory, each));
	else
		text = xasprintf("%" PRId64 " jobs: %u cores", jobs, cores);
	tell(session, index, text);
}

static void warn(struct session *session, int index, uint64_t memory)
{
	const struct plan_step *step = &session->plan->steps[index];
	uint64_t wanted;
	char each[16], all[16], room[16];
	CLEANUP(free_ptr) char *text = NULL;

	if (memory == 0 ||
	    __builtin_mul_overflow((uint64_t)step->jobs, step->jobs_memory, &wanted) ||
	    wanted <= memory)
		return;
	text = xasprintf("%" PRId64
			 " jobs of up to %s each may want %s of memory, %s is free: %" PRId64
			 " would fit (or auto)",
			 step->jobs, size_text(step->jobs_memory, each), size_text(wanted, all),
			 size_text(memory, room),
			 capacity_jobs((unsigned)step->jobs, memory, step->jobs_memory));
	tell(session, index, text);
}

void session_settle_jobs(struct session *session)
{
	uint64_t memory = 0;
	bool asked = false;
	size_t i;

	for (i = 0; i < session->plan->step_count; i++) {
		const struct plan_step *step = &session->plan->steps[i];

		if (session->build.known[i].known ||
		    (step->jobs != PLAN_JOBS_AUTO && step->jobs_memory == 0))
			continue;
		if (!asked)
			memory = capacity_memory();
		asked = true;
		if (step->jobs == PLAN_JOBS_AUTO)
			choose(session, (int)i, memory);
		else
			warn(session, (int)i, memory);
	}
}
