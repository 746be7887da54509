/* SPDX-License-Identifier: Apache-2.0
 * Short texts that a shared cache holds beside records: where steps found that a destination leads
 * to. The text is an annotation of an artifact without content, so that reading it is one request.
 */
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
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

int remote_cache_put_fact(struct remote_cache *cache, const char *name, const char *text,
			  struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *nothing = json_object();
	CLEANUP(json_decrefp) json_t *manifest = NULL;
	struct varve_descriptor empty, root;
	int r = remote_cache_keep(cache, nothing, REMOTE_CACHE_EMPTY, &empty, err);

	if (r < 0)
		return r;
	manifest = remote_cache_fact(&empty, name, text, time(NULL));
	r = remote_cache_keep(cache, manifest, VARVE_MEDIA_MANIFEST, &root, err);
	return r < 0 ? r : remote_cache_send(cache, name, &root, err);
}
