/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/audited.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/attestation.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "cli/cmd_bundle.h"
#include "layer/layer.h"

void audited_release(struct audited *audited)
{
	json_decref(audited->statement);
	free(audited->recipe);
	free(audited->epoch);
	free(audited->blobs);
	strv_release(&audited->settings);
	strv_release(&audited->arguments);
	*audited = (struct audited){0};
}

/* --- the statement -------------------------------------------------------------------------------
 */

/* An image that was built here is known here, wherever it went since. */
static int find_statement(struct remote *remote, const struct opened_subject *subject, json_t **ret,
			  struct varve_error *err)
{
	struct place place;
	const struct referrers_end store = {.place = &place, .sessions = -1};
	int r = attestation_find_statement(&subject->end, &subject->self.digest,
					   PREDICATE_PROVENANCE, ret, err);

	if (r != -VARVE_E_NOT_FOUND || subject->endpoint.kind == ENDPOINT_STORE)
		return r;
	place_of_store(&place, remote->session.store, remote->uploads);
	r = attestation_find_statement(&store, &subject->self.digest, PREDICATE_PROVENANCE, ret,
				       err);
	place_release(&place);
	return r;
}

int audited_find(struct remote *remote, const struct opened_subject *subject, struct audited *ret,
		 struct varve_error *err)
{
	const struct cli_values *values = &remote->session.cli->values;
	int r = find_statement(remote, subject, &ret->statement, err);

	if (r == -VARVE_E_NOT_FOUND && (values->bundle || values->recipe))
		return 0;
	if (r == -VARVE_E_NOT_FOUND) {
		varve_error_set(err, r, "nothing says how %.300s was built",
				remote->session.cli->arguments.items[0]);
		varve_error_hint(err, "give --bundle FILE or --recipe RECIPE to rebuild from");
	}
	return r < 0 ? r
		     : provenance_parse(ret->statement, &subject->self.digest, &ret->provenance,
					err);
}

/* --- options -------------------------------------------------------------------------------------
 */

static void add_attested(const struct provenance *p, struct audited *ret)
{
	json_t *options = json_deep_copy(p->options), *value;
	const char *name;

	json_object_foreach(options, name, value)
		strv_addf(&ret->settings, "%s=%s", name, json_string_value(value));
	json_decref(options);
	strv_addf(&ret->arguments, "--image=%s", p->image);
	strv_addf(&ret->arguments, "--platform=%s", p->platform);
	strv_addf(&ret->arguments, "--compression=%s", p->compression);
	if (p->registry)
		strv_addf(&ret->arguments, "--registry=%s", p->registry);
	ret->epoch = p->epoch < 0 ? xstrdup("SOURCE_DATE_EPOCH=")
				  : xasprintf("SOURCE_DATE_EPOCH=%lld", (long long)p->epoch);
}

/* What is the machine's, and what the user knows better. */
static void add_given(const struct cli_values *values, struct audited *ret)
{
	strv_extend(&ret->settings, &values->set);
	for (size_t i = 0; i < values->mirrors.count; i++)
		strv_addf(&ret->arguments, "--mirror=%s", values->mirrors.items[i]);
	for (size_t i = 0; i < values->secrets.count; i++)
		strv_addf(&ret->arguments, "--secret=%s", values->secrets.items[i]);
	if (values->isolation)
		strv_addf(&ret->arguments, "--isolation=%s", values->isolation);
}

static void add_blob(struct audited *ret, const struct varve_digest *digest)
{
	ret->blobs = array_grow(ret->blobs, ret->count, &ret->alloc, sizeof(*ret->blobs));
	ret->blobs[ret->count++] = *digest;
}

/* Artifacts that are here need not be fetched. */
static void add_attested_blobs(struct remote *remote, struct audited *ret)
{
	const json_t *one;
	size_t i;

	ret->complete = true;
	json_array_foreach(ret->provenance.dependencies, i, one)
	{
		const json_t *annotations = json_object_get(one, "annotations");
		const json_t *set = json_object_get(one, "digest");
		struct varve_digest digest;

		if (!str_equal(json_optional_string(annotations, "kind", ""), "artifact") ||
		    varve_digest_parse_hex(json_optional_string(set, "sha256", ""), &digest) < 0)
			continue;
		if (varve_store_has_blob(remote->session.store, &digest, NULL))
			add_blob(ret, &digest);
		else
			ret->complete = false;
	}
}

/* --- the recipe ----------------------------------------------------------------------------------
 */

/* The recipe's files, as a blob of the store. */
static int bring_inputs(struct remote *remote, const struct opened_subject *subject,
			const struct varve_digest *want, struct varve_error *err)
{
	CLEANUP(attestation_list_release) struct attestation_list list = {0};
	int r = 0;

	if (varve_store_has_blob(remote->session.store, want, NULL))
		return 0;
	r = attestation_list(&subject->end, &subject->self.digest, VARVE_BUNDLE_INPUTS, &list, err);
	for (size_t i = 0; i < list.count && r == 0; i++) {
		CLEANUP(buf_release) struct buf bytes = BUF_INIT;
		struct varve_digest got;

		r = attestation_read(&subject->end, &subject->self.digest, &list.items[i].manifest,
				     &bytes, NULL, err);
		if (r == 0)
			r = store_blob_put(remote->session.store, buf_text(&bytes), bytes.len, &got,
					   err);
		if (r == 0 && varve_digest_equal(&got, want))
			return 0;
	}
	if (r < 0)
		return r;
	varve_error_set(err, -VARVE_E_NOT_FOUND,
			"the provenance names the recipe's files, but they are not attached");
	varve_error_hint(err, "give --bundle FILE or --recipe RECIPE to rebuild from");
	return -VARVE_E_NOT_FOUND;
}

static int unpack_inputs(struct remote *remote, const char *directory, struct audited *audited,
			 struct varve_error *err)
{
	CLEANUP(fd_close) int archive = -1;
	CLEANUP(fd_close) int into = -1;
	int r = varve_store_open_blob(remote->session.store, &audited->provenance.inputs, &archive,
				      err);

	if (r == 0 && fd_mkdir_p(AT_FDCWD, directory, 0755) == 0)
		into = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && into < 0)
		r = varve_error_set(err, -errno, "make %s", directory);
	return r < 0 ? r : layer_unpack_archive(archive, into, 0, err);
}

static int need_locals(const struct provenance *p, struct varve_error *err)
{
	if (p->has_locals)
		return 0;
	varve_error_set(err, -VARVE_E_NOT_FOUND,
			"the recipe's local sources are too large to come with the image");
	varve_error_hint(err, "give --recipe RECIPE, which lies beside them, or --bundle FILE");
	return -VARVE_E_NOT_FOUND;
}

static int from_attestation(struct remote *remote, const struct opened_subject *subject,
			    const char *directory, struct audited *audited, struct varve_error *err)
{
	int r = need_locals(&audited->provenance, err);

	if (r == 0)
		r = bring_inputs(remote, subject, &audited->provenance.inputs, err);
	if (r == 0)
		r = unpack_inputs(remote, directory, audited, err);
	if (r < 0)
		return r;
	audited->recipe = path_join(directory, audited->provenance.recipe);
	audited->foreign = true;
	return 0;
}

/* Options that the image does not tell are the bundle's. */
static void add_bundled(const struct bundle *bundle, struct audited *ret)
{
	const json_t *settings = json_object_get(bundle->config, "settings");
	const json_t *images = json_object_get(bundle->config, "images");

	for (size_t i = 0; i < json_array_size(settings); i++)
		strv_add(&ret->settings, json_string_value(json_array_get(settings, i)));
	for (size_t i = 0; i < json_array_size(images); i++)
		strv_addf(&ret->arguments, "--image=%s",
			  json_string_value(json_array_get(images, i)));
	strv_addf(&ret->arguments, "--platform=%s",
		  json_optional_string(bundle->config, "platform", ""));
}

/* Its artifacts pass through the store and have no name there: the next gc removes them. */
static int from_bundle(struct remote *remote, const char *directory, struct audited *audited,
		       struct varve_error *err)
{
	CLEANUP(layout_release) struct layout layout = LAYOUT_INIT;
	CLEANUP(bundle_release) struct bundle bundle = {0};
	struct varve_store *store = remote->session.store;
	int r = bundle_open_named(remote->session.cli->values.bundle, &layout, &bundle, err);

	if (r == 0)
		r = bundle_import(&layout, &bundle, store, false, err);
	if (r == 0)
		r = bundle_unpack(&bundle, store, directory, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < bundle.count; i++)
		if (str_equal(bundle.blobs[i].descriptor.media_type, VARVE_BUNDLE_ARTIFACT))
			add_blob(audited, &bundle.blobs[i].descriptor.digest);
	audited->recipe = path_join(directory, json_optional_string(bundle.config, "recipe", ""));
	audited->complete = true;
	if (!audited->statement)
		add_bundled(&bundle, audited);
	return 0;
}

int audited_unpack(struct remote *remote, const struct opened_subject *subject,
		   const char *directory, struct audited *audited, struct varve_error *err)
{
	const struct cli_values *values = &remote->session.cli->values;
	int r = 0;

	if (audited->statement)
		add_attested(&audited->provenance, audited);
	if (values->bundle) {
		r = from_bundle(remote, directory, audited, err);
	} else {
		if (audited->statement)
			add_attested_blobs(remote, audited);
		if (values->recipe)
			audited->recipe = xstrdup(values->recipe);
		else
			r = from_attestation(remote, subject, directory, audited, err);
	}
	add_given(values, audited);
	return r;
}
