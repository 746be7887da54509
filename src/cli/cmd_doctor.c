/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/session.h"

static const char *const verdicts[] = {
	[SANDBOX_OK] = "ok",
	[SANDBOX_DEGRADED] = "degraded",
	[SANDBOX_MISSING] = "missing",
};

static json_t *finding_json(const struct sandbox_finding *finding)
{
	json_t *row = json_object();

	json_set(row, "name", json_text(finding->name));
	json_set(row, "verdict", json_text(verdicts[finding->verdict]));
	json_set(row, "detail", json_text(finding->detail));
	json_set(row, "cure", json_text(finding->cure));
	return row;
}

static void print_finding(const struct sandbox_finding *finding)
{
	printf("%-9s %-18s %s\n", verdicts[finding->verdict], finding->name, finding->detail);
	if (finding->cure[0] != '\0')
		printf("%28s %s\n", "cure:", finding->cure);
}

int cmd_doctor(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(json_decrefp) json_t *rows = json_array();
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct sandbox_finding findings[SANDBOX_FINDINGS];
	bool missing = false;
	size_t count, i;
	int r;

	r = session_open_store(&session, cli, err);
	if (r < 0)
		return r;
	count = sandbox_examine(store_dirfd(session.store), findings);
	for (i = 0; i < count; i++) {
		missing = missing || findings[i].verdict == SANDBOX_MISSING;
		if (cli->values.json)
			json_append(rows, finding_json(&findings[i]));
		else
			print_finding(&findings[i]);
	}
	if (cli->values.json) {
		json_canonical(rows, &text);
		puts(buf_text(&text));
	}
	if (!missing)
		return session_need_host(&session, err);
	return varve_error_set(err, -VARVE_E_HOST, "steps cannot run on this host as it is set up");
}
