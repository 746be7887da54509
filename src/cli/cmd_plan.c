/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/session.h"

int cmd_plan(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r;

	r = session_open(&session, cli, SESSION_PREVIEW, err);
	if (r < 0)
		return r;
	if (cli->values.json) {
		CLEANUP(json_decrefp)
		json_t *plan = plan_to_json(session.plan, session.build.status);

		json_canonical(plan, &text);
		buf_addc(&text, '\n');
	} else if (cli->values.dot) {
		plan_print_dot(session.plan, session.build.status, &text);
	} else {
		plan_print_text(session.plan, session.build.status, &text);
	}
	fputs(buf_text(&text), stdout);
	return 0;
}
