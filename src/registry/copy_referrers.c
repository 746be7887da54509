/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/copy_referrers.h"

#include <errno.h>
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

static void tell(const struct referrers_copy *copy, const char *text)
{
	const struct registry *registry =
		copy->from.registry ? copy->from.registry : copy->to.registry;
	const struct registry_settings *settings = registry ? registry_settings(registry) : NULL;

	if (settings && settings->notice)
		settings->notice(settings->cookie, text);
}

static void tell_liar(const struct referrers_copy *copy, const struct varve_digest *one)
{
	char digest[VARVE_DIGEST_TEXT];
	CLEANUP(free_ptr)
	char *text = xasprintf("%s is listed as a referrer, but refers to something else: left out",
			       varve_digest_text(one, digest));

	tell(copy, text);
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

/* --- signatures that lie under a tag of their own ------------------------------------------------
 */

/* Each layer is a signature. */
static bool has_all_of(const struct manifest *manifest, const struct manifest *other)
{
	for (size_t i = 1; i < other->child_count; i++) {
		bool found = false;

		for (size_t k = 1; k < manifest->child_count && !found; k++)
			found = json_equal(
				json_array_get(json_object_get(manifest->document, "layers"),
					       k - 1),
				json_array_get(json_object_get(other->document, "layers"), i - 1));
		if (!found)
			return false;
	}
	return true;
}

static void tell_kept(const struct referrers_copy *copy, const char *tag)
{
	CLEANUP(free_ptr)
	char *text = xasprintf("%s: the target has signatures that the source lacks; they stay, "
			       "the source's do not come along",
			       tag);

	tell(copy, text);
}

static int put_signatures(const struct referrers_copy *copy, const char *tag,
			  const struct referrers_named *old, const struct manifest *manifest,
			  struct varve_error *err)
{
	struct referrers_end to = copy->to;
	int r = 0;

	if (to.registry)
		to.place = copy->from.place;
	else
		r = place_copy_graph(copy->from.place, to.place, &manifest->self, err);
	return r < 0 ? r : referrers_end_name(&to, tag, old->version, manifest, err);
}

static int copy_signatures(struct referrers_copy *copy, const struct varve_digest *subject,
			   struct varve_error *err)
{
	CLEANUP(referrers_named_release) struct referrers_named named = {.version = NULL};
	CLEANUP(referrers_named_release) struct referrers_named old = {.version = NULL};
	char tag[REFERENCE_SIGNATURES_TAG];
	int r = referrers_end_find(&copy->from, reference_signatures_tag(subject, tag), &named,
				   err);

	if (r <= 0)
		return r;
	r = referrers_end_find(&copy->to, tag, &old, err);
	if (r < 0)
		return r;
	if (r == 1 && !has_all_of(&named.manifest, &old.manifest)) {
		tell_kept(copy, tag);
		return 0;
	}
	r = referrers_end_fetch(&copy->from, &named.manifest.self, err);
	if (r == 0)
		r = put_signatures(copy, tag, &old, &named.manifest, err);
	copy->copied += r == 0;
	if (r == -ESTALE)
		r = varve_error_set(err, -VARVE_E_NETWORK, "%s was changed by another meanwhile",
				    tag);
	return r;
}

int referrers_copy_run(struct referrers_copy *copy, const struct varve_descriptor *root,
		       struct place *manifests, struct varve_error *err)
{
	CLEANUP(graph_release) struct graph graph = {0};
	int r = graph_walk(root, place_get_manifest, manifests, &graph, err);

	for (size_t i = 0; i < graph.manifest_count && r == 0; i++)
		r = copy_of_subject(copy, &graph.manifests[i].self.digest, 0, err);
	for (size_t i = 0; i < graph.manifest_count && r == 0 && !copy->artifact_type; i++)
		r = copy_signatures(copy, &graph.manifests[i].self.digest, err);
	return r;
}
