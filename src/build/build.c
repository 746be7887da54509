/* SPDX-License-Identifier: Apache-2.0 */
#include "build/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "build/destination.h"
#include "layer/layer_split.h"
#include "plan/plan_compile.h"

_Static_assert((int)PLAN_LAYER_RULES == (int)LAYER_RULES_VERSION,
	       "keys must name the rules that the layer code follows");
_Static_assert((int)PLAN_PARTS_MAX == (int)LAYER_PARTS_MAX,
	       "the plan must know how many layers a step can have");

void build_begin(const struct plan *plan, struct varve_store *store, struct source_context *sources,
		 struct build *ret)
{
	size_t count = plan->step_count > 0 ? plan->step_count : 1;

	*ret = (struct build){.plan = plan, .store = store, .sources = sources};
	ret->known = xcalloc(count, sizeof(*ret->known));
	ret->steps = xcalloc(count, sizeof(*ret->steps));
	ret->status = xcalloc(count, sizeof(*ret->status));
}

void build_release(struct build *build)
{
	size_t i;

	if (!build->plan)
		return;
	for (i = 0; i < build->plan->step_count; i++) {
		free(build->known[i].destination);
		free(build->known[i].interpreter);
		layer_list_release(&build->known[i].layers);
		json_decref(build->steps[i].input);
	}
	destination_forget(build);
	free(build->known);
	free(build->steps);
	free(build->status);
	free(build->wanted);
	memset(build, 0, sizeof(*build));
}

static void want(struct build *build, int step)
{
	size_t room = plan_needs_room(build->plan, step), count, i;
	CLEANUP(free_ptr) int *needs = xcalloc(room + 1, sizeof(*needs));

	build->wanted[step] = true;
	count = plan_needs(build->plan, step, needs, room);
	for (i = 0; i < count; i++)
		build->wanted[needs[i]] = true;
}

/* What a step needs stands before it. */
void build_want(struct build *build, int step)
{
	build->wanted = xcalloc(build->plan->step_count + 1, sizeof(*build->wanted));
	build->wanted[step] = true;
	for (int i = step; i >= 0; i--)
		if (build->wanted[i])
			want(build, i);
}

bool build_wants(const struct build *build, size_t step)
{
	return !build->wanted || build->wanted[step];
}

void build_event(const struct build *build, const struct varve_event *event)
{
	if (build->report && build->report->event)
		build->report->event(build->report->cookie, event);
}

void build_tell(const struct build *build, enum varve_event_kind kind, const char *step,
		const char *text)
{
	build_event(build, &(struct varve_event){.kind = kind, .step = step, .text = text});
}
