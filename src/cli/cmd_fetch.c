/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/session.h"
#include "cli/session_space.h"

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
	r = session_check_space(&session, false, err);
	if (r < 0)
		return r;
	r = session_fetch(&session, sources, count, err);
	if (r < 0)
		return r;
	progress_free(session.progress);
	session.progress = NULL;
	printf("%zu artifacts of %zu sources in the store, %d of them fetched now\n", artifacts,
	       count, r);
	return 0;
}
