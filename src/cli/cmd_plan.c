/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/tempfile.h"
#include "cli/cli_options.h"
#include "cli/plan_gitlab.h"
#include "cli/session.h"
#include "cli/session_space.h"
#include "cli/shipped_plan.h"

static const char *const formats[] = {"text", "json", "dot", "gitlab", NULL};

static int check_format(const struct cli_values *values, const char **ret, struct varve_error *err)
{
	*ret = values->format ? values->format
	       : values->json ? "json"
	       : values->dot  ? "dot"
			      : "text";
	for (size_t i = 0; formats[i]; i++)
		if (strcmp(formats[i], *ret) == 0) {
			if (strcmp(*ret, "gitlab") == 0 && !values->ship)
				return varve_error_set(err, -VARVE_E_USAGE,
						       "--format gitlab: its jobs read the plan "
						       "from a file, give it with --ship FILE");
			return 0;
		}
	return varve_error_set(err, -VARVE_E_USAGE,
			       "--format %s: text, json, dot or gitlab is needed", *ret);
}

static int ship(const struct session *session, const char *path, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = shipped_plan_write(session, &text, err);

	buf_addc(&text, '\n');
	if (r == 0)
		r = tempfile_write(AT_FDCWD, path, buf_text(&text), text.len, false, err);
	if (r < 0)
		varve_error_prefix(err, "--ship %s", path);
	return r;
}

int cmd_plan(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct session_space space;
	const char *format;
	int r = check_format(&cli->values, &format, err);

	if (r == 0)
		r = session_open(&session, cli, SESSION_PREVIEW, err);
	if (r == 0 && cli->values.ship)
		r = ship(&session, cli->values.ship, err);
	if (r < 0)
		return r;
	session_predict_space(&session, &space);
	if (strcmp(format, "json") == 0) {
		CLEANUP(json_decrefp)
		json_t *plan = plan_to_json(session.plan, session.build.status);

		json_set(plan, "disk", session_space_to_json(&space));
		json_canonical(plan, &text);
		buf_addc(&text, '\n');
	} else if (strcmp(format, "dot") == 0) {
		plan_print_dot(session.plan, session.build.status, &text);
	} else if (strcmp(format, "gitlab") == 0) {
		plan_gitlab(&session, cli->values.ship, &text);
	} else {
		plan_print_text(session.plan, session.build.status, &text);
		session_print_space(&space, &text);
	}
	fputs(buf_text(&text), stdout);
	return 0;
}
