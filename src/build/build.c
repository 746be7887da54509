/* SPDX-License-Identifier: Apache-2.0 */
#include "build/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "plan/plan_compile.h"

_Static_assert((int)PLAN_LAYER_RULES == (int)LAYER_RULES_VERSION,
	       "keys must name the rules that the layer code follows");

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
		json_decref(build->steps[i].input);
	}
	free(build->known);
	free(build->steps);
	free(build->status);
	memset(build, 0, sizeof(*build));
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
