/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/session.h"

int cmd_lock(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	size_t i, artifacts = 0;
	int r;

	if (cli->values.record)
		return cmd_lock_record(cli, err);
	r = session_open(&session, cli, SESSION_REFRESH, err);
	if (r < 0)
		return r;
	for (i = 0; i < session.lock.count; i++)
		artifacts += session.lock.sources[i].count;
	printf("%s: %zu sources, %zu artifacts, %s\n", session.lock_path, session.lock.count,
	       artifacts,
	       session.lock_changes.count == 0 ? "unchanged"
	       : cli->values.dry_run           ? "would change"
					       : "changed");
	return 0;
}
