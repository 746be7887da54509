/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/session.h"

static void tell_progress(void *cookie, const char *what, uint64_t done, uint64_t total)
{
	const struct varve_report *report = progress_report(cookie);

	report->event(report->cookie, &(struct varve_event){.kind = VARVE_EVENT_FETCH,
							    .step = what,
							    .done = done,
							    .total = total});
}

int cmd_fetch(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(free_ptr) const struct lock_source **sources = NULL;
	size_t i, count = 0, artifacts = 0;
	int r;

	r = session_open(&session, cli, SESSION_ADD, err);
	if (r < 0)
		return r;
	sources = xcalloc(session.plan->sources.count + 1, sizeof(const void *));
	for (i = 0; i < session.plan->sources.count; i++) {
		const struct lock_source *locked = session.plan->sources.items[i].locked;

		if (!locked)
			continue;
		sources[count++] = locked;
		artifacts += locked->count;
	}
	session.sources.progress = tell_progress;
	session.sources.cookie = session.progress;
	r = source_fetch(&session.sources, sources, count, err);
	if (r < 0)
		return r;
	progress_free(session.progress);
	session.progress = NULL;
	printf("%zu artifacts of %zu sources in the store, %d of them fetched now\n", artifacts,
	       count, r);
	return 0;
}
