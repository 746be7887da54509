/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/copy_referrers.h"

#include <stdlib.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "registry/graph.h"
#include "registry/place_copy.h"
#include "registry/pull.h"
#include "registry/push.h"
#include "registry/referrers.h"

enum { REFERRERS = 1000 }; /* of an image, with theirs */

/* --- one end -------------------------------------------------------------------------------------
 */

static int read_index(struct place *place, const struct varve_descriptor *descriptor, json_t **ret,
		      struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest m = {0};
	int r = place_get_manifest(place, descriptor, &m, err);

	if (r == 0 && (!m.is_index || json_has_real(m.document)))
		r = varve_error_set(err, -VARVE_E_FORMAT,
				    "the list of referrers in the layout is no index");
	if (r == 0)
		*ret = json_incref(m.document);
	return r;
}

/* NULL: there is none. */
static int layout_index(const struct referrers_end *end, const struct varve_digest *subject,
			json_t **ret, struct varve_error *err)
{
	struct varve_descriptor descriptor;
	char tag[VARVE_DIGEST_TEXT];
	int r = image_layout_find(end->layout, reference_referrers_tag(subject, tag), &descriptor,
				  err);

	*ret = NULL;
	if (r == -VARVE_E_NOT_FOUND)
		return 0;
	return r < 0 ? r : read_index(end->place, &descriptor, ret, err);
}

int referrers_end_list(const struct referrers_end *end, const struct varve_digest *subject,
		       const char *artifact_type, json_t **ret, struct varve_error *err)
{
	CLEANUP(http_client_freep) struct http_client *client = NULL;
	CLEANUP(json_decrefp) json_t *index = NULL;
	int r;

	if (!end->registry) {
		r = layout_index(end, subject, &index, err);
		if (r == 0)
			*ret = referrers_filter(index, artifact_type);
		return r;
	}
	r = http_client_new(&client, err);
	return r < 0 ? r : referrers_list(end->registry, client, subject, artifact_type, ret, err);
}

/* --- bringing one over ---------------------------------------------------------------------------
 */

static int fetch(const struct referrers_copy *copy, const struct varve_descriptor *one,
		 struct varve_error *err)
{
	const struct pull pull = {.registry = copy->from.registry, .into = copy->from.place};
	struct pull_result unused;
	char digest[VARVE_DIGEST_TEXT];

	if (!copy->from.registry)
		return 0;
	return registry_blame(
		pull_run(&pull, varve_digest_text(&one->digest, digest), &unused, err));
}

static int enter_in_layout(const struct referrers_end *to, const struct varve_digest *subject,
			   const struct manifest *artifact, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *old = NULL;
	CLEANUP(manifest_release) struct manifest m = {0};
	char tag[VARVE_DIGEST_TEXT];
	int r = layout_index(to, subject, &old, err);

	if (r == 0)
		r = referrers_renew(old, artifact, &m, err);
	if (r <= 0)
		return r;
	r = place_put(to->place, &m.bytes, &m.self.digest, err);
	return r < 0 ? r
		     : image_layout_enter(to->layout, reference_referrers_tag(subject, tag),
					  &m.self, err);
}

static int deliver(const struct referrers_copy *copy, const struct varve_digest *subject,
		   const struct manifest *artifact, struct varve_error *err)
{
	const struct push push = {.registry = copy->to.registry,
				  .from = copy->from.place,
				  .sessions = copy->sessions};
	const struct strv no_tags = STRV_INIT;
	struct push_result unused;
	int r;

	if (copy->to.registry)
		return push_run(&push, &artifact->self, &no_tags, &unused, err);
	r = place_copy_graph(copy->from.place, copy->to.place, &artifact->self, err);
	return r < 0 ? r : enter_in_layout(&copy->to, subject, artifact, err);
}

static void tell_liar(const struct referrers_copy *copy, const struct varve_digest *one)
{
	const struct registry *registry =
		copy->from.registry ? copy->from.registry : copy->to.registry;
	const struct registry_settings *settings = registry ? registry_settings(registry) : NULL;
	char digest[VARVE_DIGEST_TEXT];
	CLEANUP(free_ptr) char *text = NULL;

	if (!settings || !settings->notice)
		return;
	text = xasprintf("%s is listed as a referrer, but refers to something else: left out",
			 varve_digest_text(one, digest));
	settings->notice(settings->cookie, text);
}

/* 1: brought over; 0: left out. */
static int bring(struct referrers_copy *copy, const struct varve_digest *subject,
		 const struct varve_descriptor *one, struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest artifact = {0};
	struct varve_descriptor named;
	int r = fetch(copy, one, err);

	if (r == 0)
		r = place_get_manifest(copy->from.place, one, &artifact, err);
	if (r < 0)
		return r;
	r = referrers_subject(&artifact, &named, err);
	if (r < 0)
		return r;
	if (r == 0 || !varve_digest_equal(&named.digest, subject)) {
		tell_liar(copy, &one->digest);
		return 0;
	}
	if (++copy->copied > REFERRERS)
		return varve_error_set(err, -VARVE_E_LIMIT, "more than %d referrers",
				       (int)REFERRERS);
	r = deliver(copy, subject, &artifact, err);
	return r < 0 ? r : 1;
}

/* --- all of them ---------------------------------------------------------------------------------
 */

/* An artifact cannot refer to what refers to it: its digest would have to be known before. A list
 * may lie about that, but what it lies about is left out; hence no loop, and only the depth has a
 * limit. */
static int copy_of_subject(struct referrers_copy *copy, const struct varve_digest *subject,
			   int depth, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	const json_t *entry;
	size_t i;
	int r = referrers_end_list(&copy->from, subject, copy->artifact_type, &index, err);

	if (r < 0 || depth > MANIFEST_DEPTH)
		return r;
	json_array_foreach(json_object_get(index, "manifests"), i, entry)
	{
		struct varve_descriptor one;

		r = descriptor_from_json(entry, &one, err);
		if (r == 0)
			r = bring(copy, subject, &one, err);
		if (r == 1)
			r = copy_of_subject(copy, &one.digest, depth + 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int referrers_copy_run(struct referrers_copy *copy, const struct varve_descriptor *root,
		       struct place *manifests, struct varve_error *err)
{
	CLEANUP(graph_release) struct graph graph = {0};
	int r = graph_walk(root, place_get_manifest, manifests, &graph, err);

	for (size_t i = 0; i < graph.manifest_count && r == 0; i++)
		r = copy_of_subject(copy, &graph.manifests[i].self.digest, 0, err);
	return r;
}
