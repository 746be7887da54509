/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build_report.h"

#include <stdlib.h>
#include <string.h>
#include "audit/sbom.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/report_page.h"

static void add_source(json_t *rows, const struct plan_source *source)
{
	const char *kind = json_optional_string(source->spec, "kind", "");
	char content[VARVE_DIGEST_TEXT];
	size_t count = source->locked ? source->locked->count : 0;
	CLEANUP(free_ptr)
	char *text =
		count > 0 ? xasprintf("%s, %zu artifact%s, %s", kind, count, count == 1 ? "" : "s",
				      varve_digest_text(&source->content, content))
			  : xasprintf("%s, %s", kind, varve_digest_text(&source->content, content));

	report_page_row(rows, "sources", source->name, text);
}

static json_t *provenance(const struct session *session)
{
	const struct plan *plan = session->plan;
	CLEANUP(free_ptr) char *recipe = xasprintf("sha256:%s", plan->recipe_digest);
	char text[VARVE_DIGEST_TEXT];
	json_t *rows = json_array();
	size_t networked = 0;

	for (size_t i = 0; i < plan->step_count; i++)
		networked += plan->steps[i].network;
	report_page_row(rows, "recipe", plan->recipe_name, recipe);
	report_page_row(rows, "recipe", "lock", varve_digest_text(&plan->lock_digest, text));
	report_page_row(rows, "recipe", "platform", plan->platform);
	report_page_row(rows, "recipe", "hermetic",
			networked ? "no: a step uses the network" : "yes: no step has the network");
	for (size_t i = 0; i < plan->sources.count; i++)
		add_source(rows, &plan->sources.items[i]);
	for (size_t i = 0; i < plan->step_count; i++) {
		CLEANUP(free_ptr) char *name = plan_step_name(plan, (int)i);

		if (session->build.steps[i].has_key)
			report_page_row(rows, "keys", name,
					varve_digest_text(&session->build.steps[i].key, text));
	}
	return rows;
}

static int add_image(struct session *session, struct place *place,
		     const struct varve_descriptor *manifest, const char *name, json_t *images,
		     struct varve_error *err)
{
	CLEANUP(image_side_release) struct image_side side = {0};
	CLEANUP(sbom_release) struct sbom sbom = {0};
	int r = session_complete(session, manifest, err);

	if (r == 0)
		r = image_side_open(place, name, manifest, &side, err);
	if (r == 0)
		r = sbom_read(session->store, &side, name, false, &sbom, err);
	if (r == 0)
		json_append(images, report_image(&sbom));
	return r;
}

static int add_images(struct session *session, const struct varve_descriptor *manifests,
		      struct report_page *page, struct varve_error *err)
{
	json_t *images = json_array();
	struct place place;
	int r = 0;

	report_page_set(page, "images", images);
	place_of_store(&place, session->store, -1);
	for (size_t i = 0; i < session->plan->image_count && r == 0; i++)
		r = add_image(session, &place, &manifests[i], session->plan->images[i].name, images,
			      err);
	place_release(&place);
	return r;
}

int build_report_write(struct session *session, const struct timeline *timeline,
		       const struct varve_descriptor *manifests, const char *failure,
		       struct varve_error *err)
{
	CLEANUP(report_page_release) struct report_page page = {NULL};
	CLEANUP(free_ptr) char *title = xasprintf("build of %s", session->plan->recipe_name);
	int r = 0;

	report_page_init(&page, title, session->plan->platform);
	report_page_set(&page, "steps", json_incref(timeline->steps));
	report_page_set(&page, "fetches", json_incref(timeline->fetches));
	report_page_set(&page, "notices", json_incref(timeline->notices));
	report_page_set(&page, "provenance", provenance(session));
	if (failure)
		report_page_set(&page, "failure", json_text(failure));
	if (manifests)
		r = add_images(session, manifests, &page, err);
	if (r == 0)
		r = report_page_write(&page, session->cli->values.report, err);
	if (r < 0)
		varve_error_prefix(err, "report");
	return r;
}
