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

struct attestation attest_describe(enum attest_kind kind, json_t **ret_annotations)
{
	static const struct {
		const char *type, *title, *predicate;
	} kinds[ATTEST_KINDS] = {
		[ATTEST_INPUTS] = {VARVE_BUNDLE_INPUTS, "inputs.tar", NULL},
		[ATTEST_STATEMENT] = {ATTESTATION_STATEMENT, "provenance.intoto.json",
				      PREDICATE_PROVENANCE},
	};

	*ret_annotations = annotations_of(kinds[kind].predicate);
	return (struct attestation){.type = kinds[kind].type,
				    .title = kinds[kind].title,
				    .annotations = *ret_annotations};
}

static int put_one(enum attest_kind kind, const struct buf *bytes,
		   const struct varve_descriptor *manifest, const struct referrers_end *end,
		   struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *annotations = NULL;
	const struct attestation attestation = attest_describe(kind, &annotations);

	return attestation_put(end, manifest, &attestation, bytes, NULL, err);
}

int attest_put(const struct attest *attest, size_t image, const struct varve_descriptor *manifest,
	       const struct referrers_end *end, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf inputs = BUF_INIT;
	int r = store_blob_read(attest->session->store, &attest->inputs.blob.digest,
				ATTESTATION_LIMIT, &inputs, err);

	if (r == 0)
		r = put_one(ATTEST_INPUTS, &inputs, manifest, end, err);
	if (r == 0)
		r = put_one(ATTEST_STATEMENT, &attest->statements[image], manifest, end, err);
	if (r < 0)
		varve_error_prefix(err, "attach provenance");
	return r;
}

int attest_in_store(struct attest *attest, const struct varve_descriptor *manifests,
		    struct varve_error *err)
{
	int r = recipe_inputs_pack(attest->session, &attest->inputs, err);

	if (r < 0)
		return r;
	read_logs(attest);
	make_statements(attest, manifests);
	return attest_keep(attest, manifests, err);
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
