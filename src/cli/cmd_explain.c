/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/session.h"

/* The listing of a local source, as it was kept when its digest was taken. */
static json_t *read_listing(void *cookie, const struct varve_digest *digest)
{
	struct session *session = cookie;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char name[96], hex[VARVE_DIGEST_HEX];
	json_t *listing = NULL;

	snprintf(name, sizeof(name), "listing-%s", varve_digest_hex(digest, hex));
	if (store_fact_read(session->store, name, &text) < 0 ||
	    json_parse(buf_text(&text), text.len, name, &listing, NULL) < 0)
		return NULL;
	return listing;
}

static void print_json(const char *step, const char *verdict, const struct strv *lines)
{
	CLEANUP(json_decrefp) json_t *out = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_set(out, "step", json_text(step));
	json_set(out, "verdict", json_text(verdict));
	json_set(out, "differences", json_of_strv(lines));
	json_canonical(out, &text);
	puts(buf_text(&text));
}

static void print_text(const char *step, const char *verdict, const struct strv *lines)
{
	size_t i;

	printf("%s: %s\n", step, verdict);
	for (i = 0; i < lines->count; i++)
		printf("  %s\n", lines->items[i]);
}

/* Steps that would follow: those that need this one, directly or not. */
static void list_followers(const struct plan *plan, int step, struct strv *ret)
{
	CLEANUP(free_ptr) bool *falls = xcalloc(plan->step_count, sizeof(*falls));
	CLEANUP(free_ptr) int *needs = xcalloc(plan->step_count, sizeof(*needs));
	size_t i, j, count;

	falls[step] = true;
	for (i = (size_t)step + 1; i < plan->step_count; i++) {
		count = plan_needs(plan, (int)i, needs, plan->step_count);
		for (j = 0; j < count && !falls[i]; j++)
			falls[i] = falls[needs[j]];
		if (falls[i])
			strv_take(ret, plan_step_name(plan, (int)i));
	}
}

static void explain_miss(struct session *session, int step, const char *name, struct strv *lines,
			 char verdict[256])
{
	CLEANUP(json_decrefp) json_t *before = build_recall(&session->build, name);
	CLEANUP(strv_release) struct strv followers = STRV_INIT;
	CLEANUP(free_ptr) char *joined = NULL;

	if (!before) {
		snprintf(verdict, 256, "miss: no build of this step is known");
		return;
	}
	plan_explain(before, session->build.steps[step].input, read_listing, session, lines);
	snprintf(verdict, 256, "miss: %zu difference%s from the last build", lines->count,
		 lines->count == 1 ? "" : "s");
	if (lines->count == 0)
		snprintf(verdict, 256,
			 "miss: nothing differs, but its layer is no longer in the store");
	list_followers(session->plan, step, &followers);
	joined = strv_join(&followers, ", ");
	if (followers.count > 0)
		strv_addf(lines, "steps that depend on it: %s", joined);
}

int cmd_explain(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(strv_release) struct strv lines = STRV_INIT;
	CLEANUP(free_ptr) char *name = NULL;
	char verdict[256], key[VARVE_DIGEST_TEXT];
	const struct plan_status *status;
	int step, r;

	r = session_open(&session, cli, SESSION_PREVIEW, err);
	if (r < 0)
		return r;
	step = plan_find_step(session.plan, cli->arguments.items[0], err);
	if (step < 0)
		return step;
	name = plan_step_name(session.plan, step);
	status = &session.build.status[step];
	if (status->verdict == PLAN_HIT) {
		snprintf(verdict, sizeof(verdict), "hit: key %s",
			 varve_digest_text(&session.build.steps[step].key, key));
	} else if (status->verdict == PLAN_DEPENDS && status->depends_on != step) {
		CLEANUP(free_ptr) char *other = plan_step_name(session.plan, status->depends_on);

		snprintf(verdict, sizeof(verdict),
			 "depends on %s, which would run; explain that one", other);
	} else if (status->verdict == PLAN_DEPENDS) {
		snprintf(verdict, sizeof(verdict),
			 "unknown: the layers below are not unpacked here; a build will tell");
	} else {
		explain_miss(&session, step, name, &lines, verdict);
	}
	(cli->values.json ? print_json : print_text)(name, verdict, &lines);
	return 0;
}
