/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/attest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/attestation.h"
#include "audit/provenance.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/index.h"
#include "registry/reference.h"

enum { LOG_NAME = 80 };

void attest_release(struct attest *attest)
{
	for (size_t i = 0; attest->statements && i < attest->count; i++)
		buf_release(&attest->statements[i]);
	free(attest->statements);
	free(attest->logs);
	recipe_inputs_release(&attest->inputs);
	*attest = (struct attest){.started = 0};
}

void attest_begin(struct attest *attest, struct session *session)
{
	*attest = (struct attest){.session = session, .started = time(NULL)};
}

/* --- what is known -------------------------------------------------------------------------------
 */

/* A step that printed nothing, or ran elsewhere, has no log here. */
static void read_logs(struct attest *attest)
{
	const struct build *build = &attest->session->build;
	CLEANUP(fd_close) int logs = -1;

	attest->logs = xcalloc(build->plan->step_count + 1, sizeof(*attest->logs));
	if (store_open_dir(build->store, "logs", &logs, NULL) < 0)
		return;
	for (size_t i = 0; i < build->plan->step_count; i++) {
		CLEANUP(fd_close) int fd = -1;
		char name[LOG_NAME], hex[VARVE_DIGEST_HEX];

		(void)snprintf(name, sizeof(name), "%s.log",
			       varve_digest_hex(&build->steps[i].key, hex));
		fd = openat(logs, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && digest_fd(fd, &attest->logs[i], NULL) < 0)
			attest->logs[i] = (struct varve_digest){{0}};
	}
}

/* Values that can reach a byte of the image; others are the machine's. */
static json_t *keyed_options(const struct session *session)
{
	const struct recipe *recipe = session->cli->recipe;
	json_t *options = json_object();

	for (size_t i = 0; i < recipe->option_count; i++) {
		const char *name = recipe->options[i].name.text;

		if (recipe->options[i].keyed)
			json_set(options, name, json_text(recipe_scope_get(session->scope, name)));
	}
	return options;
}

static void make_statements(struct attest *attest, const struct varve_descriptor *manifests)
{
	const struct session *session = attest->session;
	const struct plan *plan = session->plan;
	const struct layer_compression *compression = &session->options.compression;
	CLEANUP(json_decrefp) json_t *options = keyed_options(session);
	char name[16];
	const struct provenance_request request = {
		.options = options,
		.registry = session->plan_options.registry,
		.epoch = session->plan_options.epoch,
		.compression = layer_compression_name(compression, name),
		.compressor = layer_compressor_version(compression->kind),
		.recipe = attest->inputs.recipe,
		.lock = attest->inputs.lock,
		.files = attest->inputs.files,
		.inputs = attest->inputs.blob,
		.has_locals = attest->inputs.has_locals,
		.logs = attest->logs,
		.invocation = session->cli->values.invocation,
		.started = attest->started,
		.finished = time(NULL),
	};

	attest->count = plan->image_count;
	attest->statements = xcalloc(attest->count + 1, sizeof(*attest->statements));
	for (size_t i = 0; i < attest->count; i++) {
		CLEANUP(json_decrefp)
		json_t *statement =
			provenance_statement(&session->build, i, &manifests[i].digest, &request);

		json_canonical(statement, &attest->statements[i]);
		buf_addc(&attest->statements[i], '\n');
	}
}

/* --- attaching -----------------------------------------------------------------------------------
 */

static json_t *annotations_of(const char *predicate)
{
	json_t *annotations = json_object();

	json_set(annotations, ATTEST_MADE_BY, json_text(ATTEST_BUILD));
	if (predicate)
		json_set(annotations, "in-toto.io/predicate-type", json_text(predicate));
	return annotations;
}

static int put_statement(const struct attest *attest, size_t image,
			 const struct varve_descriptor *manifest, const struct referrers_end *end,
			 struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *annotations = annotations_of(PREDICATE_PROVENANCE);
	const struct attestation attestation = {.type = ATTESTATION_STATEMENT,
						.title = "provenance.intoto.json",
						.annotations = annotations};

	return attestation_put(end, manifest, &attestation, &attest->statements[image], ret, err);
}

static int put_inputs(const struct attest *attest, const struct varve_descriptor *manifest,
		      const struct referrers_end *end, struct varve_descriptor *ret,
		      struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *annotations = annotations_of(NULL);
	CLEANUP(buf_release) struct buf bytes = BUF_INIT;
	const struct attestation attestation = {
		.type = VARVE_BUNDLE_INPUTS, .title = "inputs.tar", .annotations = annotations};
	int r = store_blob_read(attest->session->store, &attest->inputs.blob.digest,
				ATTESTATION_LIMIT, &bytes, err);

	return r < 0 ? r : attestation_put(end, manifest, &attestation, &bytes, ret, err);
}

int attest_put(const struct attest *attest, size_t image, const struct varve_descriptor *manifest,
	       const struct referrers_end *end, struct varve_error *err)
{
	struct varve_descriptor unused;
	int r = put_inputs(attest, manifest, end, &unused, err);

	if (r == 0)
		r = put_statement(attest, image, manifest, end, &unused, err);
	if (r < 0)
		varve_error_prefix(err, "attach provenance");
	return r;
}

/* --- in the store --------------------------------------------------------------------------------
 */

/* True for what an earlier build attached, unless it is one of those that are to stay. */
static bool is_older(const json_t *entry, const struct varve_descriptor *stay, size_t count)
{
	const json_t *annotations = json_object_get(entry, "annotations");
	struct varve_digest digest;

	if (!str_equal(json_optional_string(annotations, ATTEST_MADE_BY, NULL), ATTEST_BUILD) ||
	    json_get_digest(entry, "digest", &digest, NULL) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (varve_digest_equal(&stay[i].digest, &digest))
			return false;
	return true;
}

/* The list without them; NULL: nothing is to go. */
static json_t *without_older(const json_t *list, const struct varve_descriptor *stay, size_t count)
{
	json_t *copy = json_deep_copy(list);
	json_t *entries = json_object_get(copy, "manifests");
	size_t before = json_array_size(entries);

	for (size_t i = 0; i < json_array_size(entries);)
		if (is_older(json_array_get(entries, i), stay, count))
			(void)json_array_remove(entries, i);
		else
			i++;
	if (json_array_size(entries) < before)
		return copy;
	json_decref(copy);
	return NULL;
}

static int drop_older(const struct referrers_end *end, const struct varve_digest *subject,
		      const struct varve_descriptor *stay, size_t count, struct varve_error *err)
{
	CLEANUP(referrers_named_release) struct referrers_named named = {.version = NULL};
	CLEANUP(manifest_release) struct manifest shorter = {0};
	CLEANUP(json_decrefp) json_t *list = NULL;
	CLEANUP(fd_close) int lock = -1;
	char tag[VARVE_DIGEST_TEXT];
	struct buf bytes = BUF_INIT;
	int r = referrers_end_lock(end, &lock, err);

	if (r == 0)
		r = referrers_end_find(end, reference_referrers_tag(subject, tag), &named, err);
	if (r > 0)
		list = without_older(named.manifest.document, stay, count);
	if (r < 0 || !list)
		return r < 0 ? r : 0;
	json_canonical(list, &bytes);
	r = manifest_parse(&bytes, VARVE_MEDIA_INDEX, &shorter, err);
	return r < 0 ? r : referrers_end_name(end, tag, NULL, &shorter, err);
}

/* What is attached by now, as a fact: the next build of the same need not look. */
struct attested {
	char name[LOG_NAME]; /* of the fact */
	char text[2 * VARVE_DIGEST_TEXT + 1]; /* statement, inputs */
	char tag[VARVE_DIGEST_TEXT]; /* the list that they are in */
};

static void name_attested(const struct attest *attest, size_t image,
			  const struct varve_descriptor *manifest, struct attested *ret)
{
	const struct buf *statement = &attest->statements[image];
	char hex[VARVE_DIGEST_HEX], one[VARVE_DIGEST_TEXT], other[VARVE_DIGEST_TEXT];
	struct varve_digest digest;

	digest_bytes(statement->data, statement->len, &digest);
	(void)snprintf(ret->name, sizeof(ret->name), "attested/%s",
		       varve_digest_hex(&manifest->digest, hex));
	(void)snprintf(ret->text, sizeof(ret->text), "%s %s", varve_digest_text(&digest, one),
		       varve_digest_text(&attest->inputs.blob.digest, other));
	(void)reference_referrers_tag(&manifest->digest, ret->tag);
}

static bool is_listed(const json_t *index, const char *tag)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(index, "manifests"), i,
			   entry) if (str_equal(index_entry_name(entry), tag)) return true;
	return false;
}

/* index: of the store, read before. */
static bool is_attested(struct varve_store *store, const json_t *index, const struct attested *want)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	return store_fact_read(store, want->name, &text) == 0 &&
	       str_equal(buf_text(&text), want->text) && is_listed(index, want->tag);
}

static int attach_in_store(const struct attest *attest, size_t image,
			   const struct varve_descriptor *manifest, struct varve_error *err)
{
	struct place place;
	const struct referrers_end end = {.place = &place, .sessions = -1};
	struct varve_descriptor made[2];
	int r;

	place_of_store(&place, attest->session->store, -1);
	r = put_inputs(attest, manifest, &end, &made[0], err);
	if (r == 0)
		r = put_statement(attest, image, manifest, &end, &made[1], err);
	if (r == 0)
		r = drop_older(&end, &manifest->digest, made, ARRAY_SIZE(made), err);
	place_release(&place);
	return r;
}

static int attest_image(const struct attest *attest, size_t image,
			const struct varve_descriptor *manifest, const json_t *index,
			struct varve_error *err)
{
	struct varve_store *store = attest->session->store;
	struct attested attested;
	int r;

	name_attested(attest, image, manifest, &attested);
	if (is_attested(store, index, &attested))
		return 0;
	r = attach_in_store(attest, image, manifest, err);
	if (r < 0)
		varve_error_prefix(err, "keep provenance in the store");
	else
		(void)store_fact_write(store, attested.name, attested.text, strlen(attested.text));
	return r;
}

int attest_in_store(struct attest *attest, const struct varve_descriptor *manifests,
		    struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	int r = recipe_inputs_pack(attest->session, &attest->inputs, err);

	if (r == 0)
		r = store_index_read(attest->session->store, &index, err);
	if (r < 0)
		return r;
	read_logs(attest);
	make_statements(attest, manifests);
	for (size_t i = 0; i < attest->session->plan->image_count && r == 0; i++)
		r = attest_image(attest, i, &manifests[i], index, err);
	return r;
}

/* --- elsewhere -----------------------------------------------------------------------------------
 */

int attest_in_layout(const struct attest *attest, size_t image,
		     const struct varve_descriptor *manifest, const char *path,
		     struct varve_error *err)
{
	CLEANUP(image_layout_close) struct image_layout layout = IMAGE_LAYOUT_INIT;
	struct place place;
	const struct referrers_end end = {.layout = &layout, .place = &place, .sessions = -1};
	int r = image_layout_make(path, &layout, err);

	if (r < 0)
		return r;
	place_init(&place, layout.blobs, -1, NULL);
	r = attest_put(attest, image, manifest, &end, err);
	place_release(&place);
	return r;
}

int attest_in_registry(const struct attest *attest, size_t image,
		       const struct varve_descriptor *manifest, const struct remote *remote,
		       const struct reference *reference, struct varve_error *err)
{
	struct place place;
	struct referrers_end end = {.place = &place, .sessions = remote->uploads};
	int r = registry_open(&remote->settings, reference, true, &end.registry, err);

	if (r < 0)
		return r;
	place_of_store(&place, attest->session->store, remote->uploads);
	r = attest_put(attest, image, manifest, &end, err);
	place_release(&place);
	registry_close(end.registry);
	return r;
}
