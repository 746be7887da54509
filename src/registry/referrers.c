/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/referrers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "net/http_url.h"
#include "registry/remote_manifest.h"
#include "registry/remote_tags.h"

enum {
	PAGES = 100,
	TRIES = 10, /* of several clients at once, some repeat */
	SETTLE_MS = 300, /* between another client's reading and its writing */
	JITTER_MS = 97,
};

/* --- listing -------------------------------------------------------------------------------------
 */

static json_t *new_index(void)
{
	json_t *index = json_object();

	json_set(index, "schemaVersion", json_integer(2));
	json_set(index, "mediaType", json_text(VARVE_MEDIA_INDEX));
	json_set(index, "manifests", json_array());
	return index;
}

static void keep_type(json_t *manifests, const char *artifact_type)
{
	size_t i = 0;

	while (artifact_type && i < json_array_size(manifests)) {
		const json_t *entry = json_array_get(manifests, i);

		if (str_equal(json_optional_string(entry, "artifactType", ""), artifact_type))
			i++;
		else
			(void)json_array_remove(manifests, i);
	}
}

json_t *referrers_filter(const json_t *index, const char *artifact_type)
{
	json_t *copy = index ? json_deep_copy(index) : new_index();

	keep_type(json_object_get(copy, "manifests"), artifact_type);
	return copy;
}

static bool is_index(const struct http_answer *answer)
{
	const char *type = http_header(&answer->headers, "Content-Type");

	return answer->status == 200 && type && str_starts(type, VARVE_MEDIA_INDEX);
}

static int add_page(const struct registry *registry, const struct http_answer *answer,
		    json_t *manifests, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *page = NULL;
	json_t *list = NULL;
	int r = json_parse(buf_text(&answer->text), answer->text.len, "referrers", &page, err);

	if (r == 0)
		r = json_get_array(page, "manifests", &list, err);
	if (r == 0 && json_has_real(page))
		r = varve_error_set(err, -VARVE_E_FORMAT, "referrers: a number is no integer");
	if (r < 0) {
		varve_error_prefix(err, "%s", registry_name(registry));
		return r;
	}
	(void)json_array_extend(manifests, list);
	return 0;
}

/* The registry may filter, and says so then (OCI-Filters-Applied); the answer is filtered again in
 * any case. Caller frees. */
static char *first_page(const struct varve_digest *subject, const char *artifact_type)
{
	struct buf path = BUF_INIT;
	char digest[VARVE_DIGEST_TEXT];

	buf_addf(&path, "referrers/%s", varve_digest_text(subject, digest));
	if (artifact_type) {
		buf_addstr(&path, "?artifactType=");
		http_url_escape(artifact_type, &path);
	}
	return buf_steal(&path);
}

/* 1: answered; 0: the registry has no such interface. */
static int list_by_api(struct registry *registry, struct http_client *client,
		       const struct varve_digest *subject, const char *artifact_type,
		       json_t *manifests, struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = first_page(subject, artifact_type);
	int r = 0;

	for (int page = 0; path && r == 0 && page < PAGES; page++) {
		CLEANUP(http_answer_release) struct http_answer answer = {0};
		const struct registry_call call = {
			.method = "GET", .path = path, .limit = MANIFEST_LIMIT};

		r = registry_call(registry, client, &call, &answer, err);
		if (r == 0 && !is_index(&answer) && page == 0)
			return 0;
		if (r == 0 && !is_index(&answer))
			r = registry_complain(registry, &answer, err, "list referrers");
		if (r == 0)
			r = add_page(registry, &answer, manifests, err);
		free(path);
		path = r == 0 ? remote_next_page(registry, &answer) : NULL;
	}
	if (path)
		return varve_error_set(err, -VARVE_E_LIMIT, "%s: more than %d pages of referrers",
				       registry_name(registry), (int)PAGES);
	return r < 0 ? r : 1;
}

/* The index under the fallback tag; NULL: there is none. */
static int get_fallback(struct registry *registry, struct http_client *client,
			const struct varve_digest *subject, json_t **ret, char **ret_version,
			struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest m = {0};
	char tag[VARVE_DIGEST_TEXT];
	int r = remote_manifest_get_version(registry, client, reference_referrers_tag(subject, tag),
					    &m, ret_version, err);

	*ret = NULL;
	if (r == -VARVE_E_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	if (!m.is_index || json_has_real(m.document))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "%s: the tag %s should list referrers, but is no index",
				       registry_name(registry), tag);
	*ret = json_incref(m.document);
	return 0;
}

int referrers_list(struct registry *registry, struct http_client *client,
		   const struct varve_digest *subject, const char *artifact_type, json_t **ret,
		   struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = new_index();
	CLEANUP(free_ptr) char *version = NULL;
	int r = list_by_api(registry, client, subject, artifact_type,
			    json_object_get(index, "manifests"), err);

	if (r == 0) {
		json_t *fallback = NULL;

		r = get_fallback(registry, client, subject, &fallback, &version, err);
		if (fallback) {
			json_decref(index);
			index = fallback;
		}
	}
	if (r < 0)
		return registry_blame(r);
	keep_type(json_object_get(index, "manifests"), artifact_type);
	*ret = steal_ptr(&index);
	return 0;
}

/* --- attaching -----------------------------------------------------------------------------------
 */

static json_t *entry_of(const struct manifest *artifact)
{
	json_t *entry = descriptor_to_json(&artifact->self);
	const json_t *document = artifact->document;
	const json_t *config = json_object_get(document, "config");
	json_t *annotations = json_object_get(document, "annotations");
	const char *type = json_optional_string(document, "artifactType",
						json_optional_string(config, "mediaType", ""));

	json_set(entry, "artifactType", json_text(type));
	if (json_is_object(annotations))
		json_set(entry, "annotations", json_deep_copy(annotations));
	return entry;
}

json_t *referrers_enter(const json_t *old, const struct manifest *artifact)
{
	json_t *index = old ? json_deep_copy(old) : new_index();
	json_t *manifests = json_object_get(index, "manifests");
	struct varve_digest digest;
	const json_t *entry;
	size_t i;

	json_array_foreach(manifests, i, entry)
	{
		if (json_get_digest(entry, "digest", &digest, NULL) == 0 &&
		    varve_digest_equal(&digest, &artifact->self.digest)) {
			json_decref(index);
			return NULL;
		}
	}
	json_append(manifests, entry_of(artifact));
	return index;
}

int referrers_renew(const json_t *old, const struct manifest *artifact, struct manifest *ret,
		    struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = referrers_enter(old, artifact);
	struct buf bytes = BUF_INIT;
	int r;

	if (!index)
		return 0;
	json_canonical(index, &bytes);
	r = manifest_parse(&bytes, VARVE_MEDIA_INDEX, ret, err);
	return r < 0 ? r : 1;
}

int referrers_subject(const struct manifest *artifact, struct varve_descriptor *ret,
		      struct varve_error *err)
{
	json_t *object = json_object_get(artifact->document, "subject");
	int r;

	if (!object || json_is_null(object))
		return 0;
	r = json_get_object(artifact->document, "subject", &object, err);
	if (r < 0)
		return r;
	r = descriptor_from_json(object, ret, err);
	if (r < 0)
		varve_error_prefix(err, "the manifest's subject");
	return r < 0 ? r : 1;
}

/* 1: entered; 0: it is in there; -ESTALE: another client was faster. */
static int enter_once(struct registry *registry, struct http_client *client,
		      const struct varve_digest *subject, const struct manifest *artifact,
		      struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *old = NULL;
	CLEANUP(manifest_release) struct manifest m = {0};
	CLEANUP(free_ptr) char *version = NULL;
	char tag[VARVE_DIGEST_TEXT];
	int r = get_fallback(registry, client, subject, &old, &version, err);

	if (r == 0)
		r = referrers_renew(old, artifact, &m, err);
	if (r <= 0)
		return r;
	r = remote_manifest_put_over(
		registry, client,
		&(struct remote_version){reference_referrers_tag(subject, tag), version}, &m, NULL,
		err);
	return r < 0 ? r : 1;
}

/* Clients that came at once part by what they enter. */
static unsigned pause_of(const struct manifest *artifact, unsigned tries)
{
	return SETTLE_MS + artifact->self.digest.bytes[tries % 32] % JITTER_MS;
}

int referrers_note(struct registry *registry, struct http_client *client,
		   const struct manifest *artifact, struct varve_error *err)
{
	struct varve_descriptor subject;
	bool entered = false;
	int r = referrers_subject(artifact, &subject, err);

	if (r <= 0)
		return r;
	/* What was entered is read again: another writer's index may have come over it. */
	for (unsigned tries = 0; tries < TRIES && !registry_stopped(registry); tries++) {
		r = enter_once(registry, client, &subject.digest, artifact, err);
		if (r == 0 || (r < 0 && r != -ESTALE))
			return registry_blame(r);
		entered |= r == 1;
		registry_wait(registry, r == 1 ? pause_of(artifact, tries) : tries * JITTER_MS);
	}
	if (registry_stopped(registry))
		return varve_error_set(err, -VARVE_E_CANCELLED, "stopped");
	return varve_error_set(err, -VARVE_E_NETWORK,
			       "%s: the list of referrers is changed by others all the time%s",
			       registry_name(registry), entered ? "" : ", and cannot be written");
}

int referrers_attach(struct registry *registry, struct http_client *client,
		     const struct manifest *artifact, struct varve_error *err)
{
	char digest[VARVE_DIGEST_TEXT];
	bool noted = false;
	int r = remote_manifest_put(registry, client,
				    varve_digest_text(&artifact->self.digest, digest), artifact,
				    &noted, err);

	return r < 0 || noted ? r : referrers_note(registry, client, artifact, err);
}
