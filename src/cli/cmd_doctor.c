/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/doctor_profile.h"
#include "cli/session.h"
#include "sandbox/sandbox_probe.h"
#include "sandbox/sandbox_tried.h"
#include "source/source_mirror.h"
#include "source/source_reach.h"

static const char *const verdicts[] = {
	[SANDBOX_OK] = "ok",
	[SANDBOX_DEGRADED] = "degraded",
	[SANDBOX_MISSING] = "missing",
};

/* Where rows go: printed at once, or collected. */
struct rows {
	json_t *list; /* NULL: text */
};

static json_t *finding_json(const struct sandbox_finding *finding)
{
	json_t *row = json_object();

	json_set(row, "name", json_text(finding->name));
	json_set(row, "verdict", json_text(verdicts[finding->verdict]));
	json_set(row, "detail", json_text(finding->detail));
	json_set(row, "cost", json_text(finding->cost));
	json_set(row, "cure", json_text(finding->cure));
	return row;
}

static void add_row(struct rows *rows, const struct sandbox_finding *finding)
{
	if (rows->list) {
		json_append(rows->list, finding_json(finding));
		return;
	}
	printf("%-9s %-20s %s\n", verdicts[finding->verdict], finding->name, finding->detail);
	if (finding->cost[0] != '\0')
		printf("%30s %s\n", "cost:", finding->cost);
	if (finding->cure[0] != '\0')
		printf("%30s %s\n", "cure:", finding->cure);
	fflush(stdout);
}

/* --- rows that this directory knows ------------------------------------------------------------
 */

static void find_mirror(const struct source_reach *reach, struct sandbox_finding *ret)
{
	(void)snprintf(ret->name, sizeof(ret->name), "mirror %.20s", reach->name);
	if (reach->answers && reach->status >= 400)
		sandbox_found(ret, SANDBOX_OK, "%s: the server answers", reach->shown);
	else if (reach->answers)
		sandbox_found(ret, SANDBOX_OK, "%s", reach->shown);
	else {
		sandbox_found(ret, SANDBOX_DEGRADED, "%s", reach->why);
		sandbox_found_cost(ret, "what is not in the store cannot be fetched from there",
				   "--mirror NAME=URL, http_proxy, or build from what is in the "
				   "store (--offline)");
	}
}

static int add_mirrors(struct session *session, struct rows *rows, struct varve_error *err)
{
	CLEANUP(source_reaches_release) struct source_reaches reaches = {0};
	CLEANUP(apt_archives_release) struct apt_archives archives = {0};
	struct sandbox_finding finding = {.name = "mirrors"};
	struct varve_error why = {0};
	size_t i;
	int r = session_read_mirrors(session, err);

	if (r < 0)
		return r;
	apt_sources_read("/etc/apt", &archives);
	source_reaches_list(&session->mirrors, &archives, &reaches);
	if (session->cli->values.offline)
		sandbox_found(&finding, SANDBOX_DEGRADED, "not tried: --offline");
	else if (reaches.count == 0)
		sandbox_found(&finding, SANDBOX_DEGRADED,
			      "none is set, and the host has no sources of apt");
	else if (source_reaches_ask(&reaches, &why) < 0)
		sandbox_found(&finding, SANDBOX_DEGRADED, "%.500s", why.text);
	if (finding.detail[0] != '\0') {
		sandbox_found_cost(&finding, "", reaches.count > 0 ? "" : "--mirror NAME=URL");
		add_row(rows, &finding);
		return 0;
	}
	for (i = 0; i < reaches.count; i++) {
		finding = (struct sandbox_finding){0};
		find_mirror(&reaches.items[i], &finding);
		add_row(rows, &finding);
	}
	return 0;
}

/* All rows behind it are about that directory, where there is one. */
static void add_scratch(const struct session *session, struct rows *rows)
{
	struct sandbox_finding row = {.name = "scratch directory"};

	if (store_work(session->store) == session->store)
		return;
	sandbox_found(&row, SANDBOX_OK, "%s%s; the rows below are about it",
		      store_path(store_work(session->store)),
		      session->scratch_chosen ? ", since the store's file system does not serve"
					      : "");
	add_row(rows, &row);
}

static int examine(struct session *session, struct rows *rows, struct sandbox_tried *tried,
		   struct varve_error *err)
{
	struct sandbox_finding findings[SANDBOX_FINDINGS], space;
	size_t count, i;

	session_probe_host(session, tried);
	count = sandbox_findings(tried, &session->host, findings);
	add_scratch(session, rows);
	for (i = 0; i < count; i++) {
		if (store_work(session->store) != session->store &&
		    str_equal(findings[i].name, "store's file system"))
			(void)snprintf(findings[i].name, sizeof(findings[i].name),
				       "its file system");
		add_row(rows, &findings[i]);
	}
	sandbox_find_space(store_dirfd(session->store), &space);
	add_row(rows, &space);
	if (store_work(session->store) != session->store) {
		sandbox_find_space(store_dirfd(store_work(session->store)), &space);
		(void)snprintf(space.name, sizeof(space.name), "free scratch space");
		add_row(rows, &space);
	}
	return add_mirrors(session, rows, err);
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static void print_sum(const struct sandbox_host *host, bool can_chroot)
{
	if (host->isolation == SANDBOX_NONE && can_chroot)
		printf("\nCommands run only with --isolation chroot. %s\n", host->cause.text);
	if (host->isolation == SANDBOX_NONE)
		return;
	printf("\nCommands run in bubblewrap over %s; owners are kept as \"%s\".\n",
	       host->overlay ? "overlay mounts" : "copied trees",
	       owner_mode_name(host->owners.mode));
}

static int report(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(json_decrefp) json_t *list = cli->values.json ? json_array() : NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct rows rows = {list};
	struct sandbox_tried tried;
	int r;

	sandbox_tried_init(&tried);
	r = session_open_store(&session, cli, err);
	if (r == 0)
		r = examine(&session, &rows, &tried, err);
	if (r < 0)
		return r;
	if (list) {
		json_canonical(list, &text);
		puts(buf_text(&text));
	} else {
		print_sum(&session.host, tried.chroot == 0);
	}
	/* What is asked for by name is a way, too. */
	return tried.chroot == 0 ? 0 : session_need_host(&session, err);
}

int cmd_doctor(struct cli *cli, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r;

	if (!cli->values.apparmor_profile)
		return report(cli, err);
	r = doctor_profile(&text, err);
	if (r == 0)
		fputs(buf_text(&text), stdout);
	return r;
}
