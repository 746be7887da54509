/* SPDX-License-Identifier: Apache-2.0
 * varve audit: builds an image again from what it says of itself, and compares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/cure.h"
#include "audit/image_diff.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "cli/audit_rebuild.h"
#include "cli/audit_report.h"
#include "cli/cli_options.h"
#include "cli/opened_image.h"
#include "cli/report_page.h"

enum { REBUILDS = 2, DEPENDENCY_GROWTH = 6 /* packages unpacked, layers, trees */ };

/* One rebuild, compared with the image, or with the rebuild before it. */
struct outcome {
	struct varve_digest digest;
	char *layout; /* "oci:DIR"; owned */
	struct strv words; /* under which conditions; owned */
	struct differences differences;
};

struct audit {
	struct remote remote;
	struct opened_subject subject;
	struct audited audited;
	struct rebuild_place place;
	struct outcome outcomes[REBUILDS];
	size_t count;
};

static void audit_release(struct audit *audit)
{
	rebuild_place_remove(&audit->remote.session, &audit->place);
	for (size_t i = 0; i < REBUILDS; i++) {
		free(audit->outcomes[i].layout);
		strv_release(&audit->outcomes[i].words);
		differences_release(&audit->outcomes[i].differences);
	}
	audited_release(&audit->audited);
	opened_subject_release(&audit->subject);
	remote_release(&audit->remote);
}

static const struct cli_values *values_of(const struct audit *audit)
{
	return &audit->remote.session.cli->values;
}

/* --- steps of layers -----------------------------------------------------------------------------
 */

/* "STAGE/STEP" of a step's key; NULL: it is not attested. */
static const char *step_of_key(const struct provenance *p, const char *hex)
{
	const json_t *one;
	size_t i;

	json_array_foreach(p->steps, i, one)
	{
		const char *name = json_optional_string(one, "name", "");

		if (str_starts(name, "step ") &&
		    str_equal(json_optional_string(json_object_get(one, "digest"), "sha256", ""),
			      hex))
			return name + strlen("step ");
	}
	return NULL;
}

/* The entry of history that made a layer, counted from 1. */
static const json_t *history_of(const json_t *config, json_int_t layer)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(config, "history"), i, entry)
	{
		if (json_is_true(json_object_get(entry, "empty_layer")))
			continue;
		if (--layer == 0)
			return entry;
	}
	return NULL;
}

static const char *step_of_layer(const struct audit *audit, const json_t *config, json_int_t layer)
{
	static const char key[] = "varve key sha256:";
	const json_t *entry = layer > 0 ? history_of(config, layer) : NULL;
	const char *comment = json_optional_string(entry, "comment", "");
	const char *step = NULL;

	if (!entry)
		return NULL;
	if (str_starts(comment, key))
		step = step_of_key(&audit->audited.provenance, comment + strlen(key));
	return step ? step : json_optional_string(entry, "created_by", NULL);
}

static bool has_layer(const struct differences *all)
{
	const json_t *one;
	size_t i;

	json_array_foreach(all->list, i, one) if (json_object_get(one, "layer")) return true;
	return false;
}

/* Keys tell what lies below: of two layers that differ all keys above differ. */
static bool is_consequence(const json_t *one)
{
	static const char key[] = "\"varve key "; /* values of documents are shown as JSON */

	return str_equal(json_optional_string(one, "class", ""), "history") &&
	       str_starts(json_optional_string(one, "a", ""), key) &&
	       str_starts(json_optional_string(one, "b", ""), key);
}

static void explain(json_t *one, const char *step)
{
	const struct cure *cure = cure_find(json_optional_string(one, "rule", NULL));

	if (step)
		json_set(one, "step", json_text(step));
	if (cure)
		json_set(one, "cure", json_text(cure->cure));
}

/* Names the steps, and leaves out what is not of the one that was asked for. */
static void name_steps(const struct audit *audit, const json_t *config, struct differences *all)
{
	const char *only = values_of(audit)->step;
	bool layers = has_layer(all);

	for (size_t i = 0; i < json_array_size(all->list);) {
		json_t *one = json_array_get(all->list, i);
		const char *step = step_of_layer(audit, config,
						 json_integer_value(json_object_get(one, "layer")));

		if ((only && !str_equal(step, only)) || (layers && is_consequence(one))) {
			(void)json_array_remove(all->list, i);
		} else {
			explain(one, step);
			i++;
		}
	}
}

static bool has_step(const struct audit *audit, const char *step)
{
	CLEANUP(free_ptr) char *name = xasprintf("step %s", step);
	const json_t *one;
	size_t i;

	json_array_foreach(
		audit->audited.provenance.steps, i,
		one) if (str_equal(json_optional_string(one, "name", ""), name)) return true;
	return false;
}

static int check_step(const struct audit *audit, struct varve_error *err)
{
	const char *step = values_of(audit)->step;

	if (!step || has_step(audit, step))
		return 0;
	varve_error_set(err, -VARVE_E_USAGE, "the image's provenance has no step \"%.200s\"", step);
	varve_error_hint(err, "steps are named STAGE/STEP; varve provenance IMAGE lists them");
	return -VARVE_E_USAGE;
}

/* --- comparing -----------------------------------------------------------------------------------
 */

static int compare(struct audit *audit, const char *before, struct outcome *outcome,
		   struct varve_error *err)
{
	struct remote *remote = &audit->remote;
	CLEANUP(opened_image_release) struct opened_image a = {.source.layout = IMAGE_LAYOUT_INIT};
	CLEANUP(opened_image_release) struct opened_image b = {.source.layout = IMAGE_LAYOUT_INIT};
	int r = opened_image_open(remote, before, &a, err);

	if (r == 0)
		r = opened_image_open(remote, outcome->layout, &b, err);
	if (r == 0)
		r = image_diff(remote->session.store, &a.side, &b.side, &outcome->differences, err);
	if (r == 0)
		name_steps(audit, a.side.config, &outcome->differences);
	return r;
}

/* Bytes that a build in memory needs, more or less. */
static uint64_t need(const struct audit *audit)
{
	uint64_t sum = 0, size;

	for (size_t i = 0; i < audit->audited.count; i++)
		if (varve_store_has_blob(audit->remote.session.store, &audit->audited.blobs[i],
					 &size))
			sum += size;
	return sum * DEPENDENCY_GROWTH;
}

static int rebuild_one(struct audit *audit, struct varve_error *err)
{
	static const char *const names[REBUILDS] = {"a", "b"};
	CLEANUP(audit_surroundings_release) struct audit_surroundings surroundings = {0};
	const struct outcome *before = audit->count ? &audit->outcomes[audit->count - 1] : NULL;
	struct outcome *outcome = &audit->outcomes[audit->count];
	const struct audit_rebuild rebuild = {.remote = &audit->remote,
					      .audited = &audit->audited,
					      .place = &audit->place,
					      .name = names[audit->count],
					      .step = values_of(audit)->step};
	int r;

	if (before)
		audit_surroundings_varied(&audit->remote, &audit->audited, need(audit),
					  &surroundings);
	else
		audit_surroundings_plain(&audit->audited, &surroundings);
	differences_init(&outcome->differences, false);
	r = audit_rebuild(&rebuild, &surroundings, &outcome->digest, &outcome->layout, err);
	if (r < 0)
		return r;
	strv_extend(&outcome->words, &surroundings.words);
	audit->count++;
	if (varve_digest_equal(&outcome->digest,
			       before ? &before->digest : &audit->subject.self.digest))
		return 0;
	return compare(audit,
		       before ? before->layout : audit->remote.session.cli->arguments.items[0],
		       outcome, err);
}

static int rebuild_all(struct audit *audit, struct varve_error *err)
{
	size_t count = values_of(audit)->twice ? REBUILDS : 1;
	int r = 0;

	while (audit->count < count && r == 0)
		r = rebuild_one(audit, err);
	return r;
}

/* --- printing ------------------------------------------------------------------------------------
 */

static bool is_equal(const struct audit *audit)
{
	const struct varve_digest *digest = &audit->subject.self.digest;
	bool all = !values_of(audit)->step;

	for (size_t i = 0; i < audit->count; i++)
		if (json_array_size(audit->outcomes[i].differences.list) > 0 ||
		    (all && !varve_digest_equal(&audit->outcomes[i].digest, digest)))
			return false;
	return true;
}

/* Later steps may differ only for its sake. */
static const char *first_step(const struct audit *audit)
{
	const char *first = NULL;
	json_int_t lowest = 0;

	for (size_t i = 0; i < audit->count && !first; i++) {
		const json_t *list = audit->outcomes[i].differences.list, *one;
		size_t k;

		json_array_foreach(list, k, one)
		{
			json_int_t layer = json_integer_value(json_object_get(one, "layer"));

			if (layer == 0 || (first && layer >= lowest))
				continue;
			lowest = layer;
			first = json_optional_string(one, "step", NULL);
		}
	}
	return first;
}

static void print_text(const struct audit *audit, struct buf *out)
{
	char digest[VARVE_DIGEST_TEXT];
	const char *first = first_step(audit);

	buf_addf(out, "image      %s\n", varve_digest_text(&audit->subject.self.digest, digest));
	for (size_t i = 0; i < audit->count; i++) {
		const struct outcome *outcome = &audit->outcomes[i];
		CLEANUP(free_ptr) char *words = strv_join(&outcome->words, "; ");

		buf_addf(out, "rebuild %zu  %s  (%s)\n", i + 1,
			 varve_digest_text(&outcome->digest, digest), words);
		differences_print(&outcome->differences, out);
	}
	if (is_equal(audit))
		buf_addstr(out, "equal\n");
	else
		buf_addf(out, "differs%s%s\n", first ? ", first in step " : "", first ? first : "");
}

static json_t *rebuild_json(const struct outcome *outcome)
{
	json_t *one = json_object();

	json_set(one, "digest", json_of_digest(&outcome->digest));
	json_set(one, "conditions", json_of_strv(&outcome->words));
	json_set(one, "differences", json_incref(outcome->differences.list));
	return one;
}

static void print_json(const struct audit *audit, struct buf *out)
{
	CLEANUP(json_decrefp) json_t *document = json_object();
	json_t *rebuilds = json_array();
	const char *first = first_step(audit);

	for (size_t i = 0; i < audit->count; i++)
		json_append(rebuilds, rebuild_json(&audit->outcomes[i]));
	json_set(document, "digest", json_of_digest(&audit->subject.self.digest));
	json_set(document, "equal", json_boolean(is_equal(audit)));
	json_set(document, "firstStep", first ? json_text(first) : json_null());
	json_set(document, "rebuilds", rebuilds);
	json_canonical(document, out);
	buf_addc(out, '\n');
}

static json_t *digest_rows(const struct audit *audit)
{
	char digest[VARVE_DIGEST_TEXT];
	json_t *rows = json_array();

	report_page_row(rows, "digests", "image",
			varve_digest_text(&audit->subject.self.digest, digest));
	for (size_t i = 0; i < audit->count; i++) {
		const struct outcome *outcome = &audit->outcomes[i];
		CLEANUP(free_ptr) char *name = xasprintf("rebuild %zu", i + 1);
		CLEANUP(free_ptr) char *words = strv_join(&outcome->words, "; ");

		report_page_row(rows, "digests", name, varve_digest_text(&outcome->digest, digest));
		report_page_row(rows, "conditions", name, words);
	}
	return rows;
}

static int report(struct audit *audit, const char *image, struct varve_error *err)
{
	json_t *all;

	if (!values_of(audit)->report)
		return 0;
	all = json_array();
	for (size_t i = 0; i < audit->count; i++)
		(void)json_array_extend(all, audit->outcomes[i].differences.list);
	return audit_report_write(&audit->remote, image, all, digest_rows(audit), err);
}

/* --- the command ---------------------------------------------------------------------------------
 */

static int prepare(struct audit *audit, struct varve_error *err)
{
	CLEANUP(free_ptr) char *directory = NULL;
	int r = audited_find(&audit->remote, &audit->subject, &audit->audited, err);

	if (r == 0)
		r = check_step(audit, err);
	if (r < 0)
		return r;
	session_find_host(&audit->remote.session);
	r = rebuild_place_begin(&audit->remote.session, &audit->place, err);
	if (r < 0)
		return r;
	directory = path_join(audit->place.path, "recipe");
	r = audited_unpack(&audit->remote, &audit->subject, directory, &audit->audited, err);
	return r < 0 ? r : audited_check(&audit->remote, directory, &audit->audited, err);
}

static int open_audit(struct audit *audit, struct cli *cli, struct varve_error *err)
{
	int r = cli->values.bundle && cli->values.recipe
			? varve_error_set(err, -VARVE_E_USAGE,
					  "--bundle and --recipe: one of them, not both")
			: remote_open(&audit->remote, cli, false, err);

	/* One image of several is meant. */
	if (r == 0 && !cli->values.platform)
		cli->values.platform = xstrdup(session_host_platform());
	return r < 0 ? r : opened_subject_open(&audit->remote, cli, false, &audit->subject, err);
}

int cmd_audit(struct cli *cli, struct varve_error *err)
{
	CLEANUP(audit_release)
	struct audit audit = {.remote = {.uploads = -1},
			      .subject = OPENED_SUBJECT_INIT,
			      .place = REBUILD_PLACE_INIT};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = open_audit(&audit, cli, err);

	if (r == 0)
		r = prepare(&audit, err);
	if (r == 0)
		r = rebuild_all(&audit, err);
	if (r == 0)
		r = report(&audit, cli->arguments.items[0], err);
	progress_free(audit.remote.session.progress);
	audit.remote.session.progress = NULL;
	if (r < 0)
		return r;
	if (cli->values.json)
		print_json(&audit, &text);
	else
		print_text(&audit, &text);
	fputs(buf_text(&text), stdout);
	cli->status = is_equal(&audit) ? 0 : cli_exit_code(-VARVE_E_COMPARE);
	return 0;
}
