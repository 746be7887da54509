/* SPDX-License-Identifier: Apache-2.0
 * Short texts that a shared cache holds beside records: where steps found that a destination leads
 * to. The text is an annotation of an artifact without content, so that reading it is one request.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/digest.h"
#include "registry/push.h"
#include "registry/remote_cache_document.h"
#include "registry/remote_manifest.h"

int remote_cache_get_fact(struct remote_cache *cache, const char *name, struct buf *ret,
			  struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest m = {0};
	const char *text;
	int r = remote_manifest_get(cache->registry, cache->client, name, &m, err);

	if (r == -VARVE_E_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	text = remote_cache_read_fact(&m, name);
	if (!text)
		return varve_error_set(err, -VARVE_E_FORMAT, "%s: %s was refused: it is no fact",
				       registry_name(cache->registry), name);
	buf_addstr(ret, text);
	return 1;
}

static int put_bytes(struct remote_cache *cache, const json_t *document, const char *type,
		     struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_canonical(document, &text);
	*ret = (struct varve_descriptor){.size = text.len};
	(void)snprintf(ret->media_type, sizeof(ret->media_type), "%s", type);
	return store_blob_put(cache->place.store, text.data, text.len, &ret->digest, err);
}

int remote_cache_put_fact(struct remote_cache *cache, const char *name, const char *text,
			  struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *nothing = json_object();
	CLEANUP(json_decrefp) json_t *manifest = NULL;
	CLEANUP(strv_release) struct strv tags = STRV_INIT;
	const struct push push = {.registry = cache->registry,
				  .from = &cache->place,
				  .sessions = cache->place.partials};
	struct varve_descriptor empty, root, there;
	struct push_result pushed;
	int r = put_bytes(cache, nothing, REMOTE_CACHE_EMPTY, &empty, err);

	if (r < 0)
		return r;
	manifest = remote_cache_fact(&empty, name, text, time(NULL));
	r = put_bytes(cache, manifest, VARVE_MEDIA_MANIFEST, &root, err);
	if (r == 0)
		r = remote_manifest_look(cache->registry, cache->client, name, &there, err);
	if (r < 0 || (r == 1 && varve_digest_equal(&there.digest, &root.digest)))
		return r < 0 ? r : 0;
	strv_add(&tags, name);
	r = push_run(&push, &root, &tags, &pushed, err);
	return r < 0 ? r : 1;
}
