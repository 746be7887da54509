/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/referrers_end.h"

#include <stdlib.h>
#include "base/cleanup.h"
#include "base/fd.h"
#include "registry/place_copy.h"
#include "registry/pull.h"
#include "registry/push.h"
#include "registry/referrers.h"
#include "registry/remote_manifest.h"
#include "store/store.h"

/* --- names in layouts and the store --------------------------------------------------------------
 */

static int find_name(const struct referrers_end *end, const char *name,
		     struct varve_descriptor *ret, struct varve_error *err)
{
	return end->layout ? image_layout_find(end->layout, name, ret, err)
			   : store_index_find(end->place->store, name, ret, err);
}

static int set_name(const struct referrers_end *end, const char *name,
		    const struct varve_descriptor *manifest, struct varve_error *err)
{
	return end->layout ? image_layout_enter(end->layout, name, manifest, err)
			   : store_index_set(end->place->store, name, manifest, NULL, err);
}

int referrers_end_lock(const struct referrers_end *end, int *ret_fd, struct varve_error *err)
{
	*ret_fd = -1;
	if (end->registry || end->layout)
		return 0;
	return store_lock(end->place->store, "referrers", true, true, ret_fd, err);
}

/* --- listing -------------------------------------------------------------------------------------
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
static int own_index(const struct referrers_end *end, const struct varve_digest *subject,
		     json_t **ret, struct varve_error *err)
{
	struct varve_descriptor descriptor;
	char tag[VARVE_DIGEST_TEXT];
	int r = find_name(end, reference_referrers_tag(subject, tag), &descriptor, err);

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
		r = own_index(end, subject, &index, err);
		if (r == 0)
			*ret = referrers_filter(index, artifact_type);
		return r;
	}
	r = http_client_new(&client, err);
	return r < 0 ? r : referrers_list(end->registry, client, subject, artifact_type, ret, err);
}

int referrers_end_fetch(const struct referrers_end *end, const struct varve_descriptor *one,
			struct varve_error *err)
{
	const struct pull pull = {.registry = end->registry, .into = end->place};
	struct pull_result unused;
	char digest[VARVE_DIGEST_TEXT];

	if (!end->registry)
		return 0;
	return registry_blame(
		pull_run(&pull, varve_digest_text(&one->digest, digest), &unused, err));
}

/* --- attaching -----------------------------------------------------------------------------------
 */

static int enter(const struct referrers_end *end, const struct varve_digest *subject,
		 const struct manifest *artifact, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *old = NULL;
	CLEANUP(manifest_release) struct manifest m = {0};
	CLEANUP(fd_close) int lock = -1;
	char tag[VARVE_DIGEST_TEXT];
	int r = referrers_end_lock(end, &lock, err);

	if (r == 0)
		r = own_index(end, subject, &old, err);
	if (r == 0)
		r = referrers_renew(old, artifact, &m, err);
	if (r <= 0)
		return r;
	r = place_put(end->place, &m.bytes, &m.self.digest, err);
	return r < 0 ? r : set_name(end, reference_referrers_tag(subject, tag), &m.self, err);
}

static int send(const struct referrers_end *end, struct place *from, const struct strv *tags,
		const struct varve_descriptor *artifact, struct varve_error *err)
{
	const struct push push = {
		.registry = end->registry, .from = from, .sessions = end->sessions};
	struct push_result unused;

	return push_run(&push, artifact, tags, &unused, err);
}

int referrers_end_attach(const struct referrers_end *end, struct place *from,
			 const struct varve_digest *subject, const struct manifest *artifact,
			 struct varve_error *err)
{
	const struct strv no_tags = STRV_INIT;
	int r = 0;

	if (end->registry)
		return send(end, from, &no_tags, &artifact->self, err);
	if (from != end->place)
		r = place_copy_graph(from, end->place, &artifact->self, err);
	return r < 0 ? r : enter(end, subject, artifact, err);
}

/* --- by name -------------------------------------------------------------------------------------
 */

void referrers_named_release(struct referrers_named *named)
{
	manifest_release(&named->manifest);
	free(named->version);
	named->version = NULL;
}

static int find_there(const struct referrers_end *end, const char *name,
		      struct referrers_named *ret, struct varve_error *err)
{
	CLEANUP(http_client_freep) struct http_client *client = NULL;
	int r = http_client_new(&client, err);

	return r < 0 ? r
		     : remote_manifest_get_version(end->registry, client, name, &ret->manifest,
						   &ret->version, err);
}

int referrers_end_find(const struct referrers_end *end, const char *name,
		       struct referrers_named *ret, struct varve_error *err)
{
	struct varve_descriptor descriptor;
	int r;

	if (end->registry)
		r = find_there(end, name, ret, err);
	else
		r = find_name(end, name, &descriptor, err);
	if (r == -VARVE_E_NOT_FOUND)
		return 0;
	if (r == 0 && !end->registry)
		r = place_get_manifest(end->place, &descriptor, &ret->manifest, err);
	return r < 0 ? registry_blame(r) : 1;
}

/* Blobs and the manifest by its digest first; then the name, unless another has changed it. */
static int name_there(const struct referrers_end *end, const struct remote_version *over,
		      const struct manifest *manifest, struct varve_error *err)
{
	CLEANUP(http_client_freep) struct http_client *client = NULL;
	const struct strv no_tags = STRV_INIT;
	int r = send(end, end->place, &no_tags, &manifest->self, err);

	if (r == 0)
		r = http_client_new(&client, err);
	return r < 0 ? r
		     : remote_manifest_put_over(end->registry, client, over, manifest, NULL, err);
}

int referrers_end_name(const struct referrers_end *end, const char *name, const char *version,
		       const struct manifest *manifest, struct varve_error *err)
{
	const struct remote_version over = {name, version};
	int r = place_put(end->place, &manifest->bytes, &manifest->self.digest, err);

	if (r < 0)
		return r;
	return end->registry ? name_there(end, &over, manifest, err)
			     : set_name(end, name, &manifest->self, err);
}
