/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/copy_referrers.h"

#include <stdlib.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "registry/graph.h"
#include "registry/place_copy.h"
#include "registry/referrers.h"

enum { REFERRERS = 1000 }; /* of an image, with theirs */

/* --- bringing one over ---------------------------------------------------------------------------
 */

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
	int r = referrers_end_fetch(&copy->from, one, err);

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
	r = referrers_end_attach(&copy->to, copy->from.place, subject, &artifact, err);
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
