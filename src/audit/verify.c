/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/verify.h"

#include <stdlib.h>
#include "audit/layer_files.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/place_copy.h"

/* --- one image -----------------------------------------------------------------------------------
 */

static void layers_free(struct layer_files *layers, size_t count)
{
	for (size_t i = 0; layers && i < count; i++)
		layer_files_release(&layers[i]);
	free(layers);
}

/* What was read of an image. */
struct reading {
	struct image_side side;
	struct layer_files *layers; /* of each layer, for a policy; NULL: not kept */
	bool opened, whole; /* its documents; all of its layers */
};

static void reading_release(struct reading *reading)
{
	layers_free(reading->layers, reading->side.layer_count);
	image_side_release(&reading->side);
}

static void read_image(const struct verify *verify, const struct varve_descriptor *image,
		       const json_t *entry, struct reading *ret)
{
	bool keep = verify->policy && (verify->policy->no_setuid || verify->policy->no_secrets);
	struct varve_error err = {0};
	int r = image_side_open(verify->place, verify->name, image, &ret->side, &err);

	verify_rows_add(verify->rows, "documents", r < 0 ? err.text : NULL);
	if (r < 0)
		return;
	if (entry) {
		CLEANUP(free_ptr) char *why = verify_platform(entry, ret->side.config);

		verify_rows_add(verify->rows, "platform", why);
	}
	if (keep)
		ret->layers = xcalloc(ret->side.layer_count + 1, sizeof(*ret->layers));
	ret->opened = true;
	ret->whole = image_verify(&ret->side, ret->layers, verify->rows);
}

/* above: what is known of the index that it is in. */
static int verify_image(const struct verify *verify, const struct varve_descriptor *image,
			const json_t *entry, const struct verify_facts *above,
			struct varve_error *err)
{
	CLEANUP(verify_facts_release) struct verify_facts facts = {0};
	CLEANUP(reading_release) struct reading reading = {0};
	int r = 0;

	verify_facts_copy(above, &facts);
	read_image(verify, image, entry, &reading);
	if (verify->end)
		r = verify_attached(verify->end, &image->digest, verify->keys, &facts, verify->rows,
				    err);
	if (r < 0)
		return r;
	verify_signed(verify->keys, &facts, verify->rows);
	if (reading.opened && verify->policy)
		policy_check(verify->policy, &reading.side, reading.whole ? reading.layers : NULL,
			     &facts, verify->rows);
	return 0;
}

/* --- an index ------------------------------------------------------------------------------------
 */

static int verify_index(const struct verify *verify, const struct varve_descriptor *index,
			const struct verify_facts *above, int depth, struct varve_error *err);

/* An attestation of BuildKit's, or another artifact: its bytes are all that can be said of it. */
static void verify_artifact(const struct verify *verify, const struct manifest *m)
{
	struct varve_error why = {0};
	int r = 0;

	for (size_t i = 0; i < m->child_count && r == 0; i++)
		r = place_verify(verify->place, &m->children[i], &why);
	verify_rows_add(verify->rows, "artifact", r < 0 ? why.text : NULL);
}

static bool is_artifact(const json_t *entry, const struct manifest *m)
{
	const json_t *annotations = json_object_get(entry, "annotations");

	return json_object_get(annotations, "vnd.docker.reference.type") ||
	       json_object_get(m->document, "artifactType") || verify_config_type(m->document);
}

static int verify_leaf(const struct verify *verify, const struct varve_descriptor *one,
		       const json_t *entry, const struct verify_facts *above,
		       struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest m = {0};

	if (place_get_manifest(verify->place, one, &m, err) < 0) {
		verify_rows_add(verify->rows, "documents", err->text);
		return 0;
	}
	if (!is_artifact(entry, &m))
		return verify_image(verify, one, entry, above, err);
	verify_artifact(verify, &m);
	return 0;
}

static int verify_child(const struct verify *verify, const struct varve_descriptor *one,
			const json_t *entry, const struct verify_facts *above, int depth,
			struct varve_error *err)
{
	char platform[MANIFEST_PLATFORM], digest[VARVE_DIGEST_TEXT];
	CLEANUP(free_ptr) char *outer = verify->rows->context;
	int r = 0;

	manifest_platform(entry, platform);
	verify->rows->context =
		*platform ? xstrdup(platform)
			  : xasprintf("%.19s", varve_digest_text(&one->digest, digest));
	if (manifest_type_is_index(one->media_type))
		r = verify_index(verify, one, above, depth + 1, err);
	else
		r = verify_leaf(verify, one, entry, above, err);
	free(verify->rows->context);
	verify->rows->context = steal_ptr(&outer);
	return r;
}

static int verify_index(const struct verify *verify, const struct varve_descriptor *index,
			const struct verify_facts *above, int depth, struct varve_error *err)
{
	CLEANUP(verify_facts_release) struct verify_facts facts = {0};
	CLEANUP(manifest_release) struct manifest m = {0};
	CLEANUP(free_ptr) char *why = NULL;
	int r = place_get_manifest(verify->place, index, &m, err);

	if (r == 0 && (!m.is_index || depth > MANIFEST_DEPTH))
		why = xstrdup(m.is_index ? "indexes too deep in each other" : "is no index");
	else if (r == 0)
		why = verify_index_document(m.document);
	verify_rows_add(verify->rows, "index", r < 0 ? err->text : why);
	if (r < 0 || !m.is_index || depth > MANIFEST_DEPTH)
		return 0;
	verify_facts_copy(above, &facts);
	r = verify->end ? verify_attached(verify->end, &index->digest, verify->keys, &facts,
					  verify->rows, err)
			: 0;
	for (size_t i = 0; i < m.child_count && r == 0; i++)
		r = verify_child(verify, &m.children[i],
				 json_array_get(json_object_get(m.document, "manifests"), i),
				 &facts, depth, err);
	return r;
}

/* --- all -----------------------------------------------------------------------------------------
 */

int verify_run(const struct verify *verify, const struct varve_descriptor *named,
	       const struct varve_descriptor *root, struct varve_error *err)
{
	CLEANUP(verify_facts_release) struct verify_facts facts = {0};
	int r = 0;

	if (manifest_type_is_index(root->media_type))
		return verify_index(verify, root, &facts, 0, err);
	if (verify->end && !varve_digest_equal(&named->digest, &root->digest)) {
		verify->rows->context = xstrdup("index");
		r = verify_attached(verify->end, &named->digest, verify->keys, &facts, verify->rows,
				    err);
		free_ptr(&verify->rows->context);
	}
	return r < 0 ? r : verify_image(verify, root, NULL, &facts, err);
}
