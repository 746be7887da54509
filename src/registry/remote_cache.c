/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/remote_cache.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/digest.h"
#include "base/fd.h"
#include "registry/pull.h"
#include "registry/push.h"
#include "registry/remote_cache_document.h"
#include "registry/remote_manifest.h"

void remote_cache_init(struct remote_cache *cache, struct varve_store *store, int uploads,
		       image_unpack unpack)
{
	*cache = (struct remote_cache){.unpack = unpack};
	place_of_store(&cache->place, store, uploads);
}

int remote_cache_open(struct remote_cache *cache, const struct registry_settings *settings,
		      const struct reference *reference, bool push, struct varve_error *err)
{
	int r = registry_open(settings, reference, push, &cache->registry, err);

	if (r == 0)
		r = http_client_new(&cache->client, err);
	if (r < 0)
		remote_cache_close(cache);
	return r;
}

void remote_cache_close(struct remote_cache *cache)
{
	if (!cache->registry)
		return;
	http_client_freep(&cache->client);
	registry_closep(&cache->registry);
	place_release(&cache->place);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static int refuse(const struct remote_cache *cache, const char *why, struct varve_error *err)
{
	return varve_error_set(err, -VARVE_E_FORMAT, "%s: a cache record was refused: %s",
			       registry_name(cache->registry), why);
}

static int get_record(struct remote_cache *cache, const struct varve_digest *key,
		      struct store_record *record, struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest m = {0};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char tag[REMOTE_CACHE_TAG];
	_Atomic uint64_t unused = 0;
	const char *why;
	int r = remote_manifest_get(cache->registry, cache->client, remote_cache_tag(key, tag), &m,
				    err);

	if (r == -VARVE_E_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	if (m.is_index || m.child_count == 0 || m.children[0].size > MANIFEST_LIMIT)
		return refuse(cache, "it is none", err);
	r = pull_blob(cache->registry, cache->client, &cache->place, &m.children[0], &unused, err);
	if (r == 0)
		r = place_read(&cache->place, &m.children[0], MANIFEST_LIMIT, &text, err);
	if (r < 0)
		return r;
	why = remote_cache_read(&m, &text, key, record);
	return why ? refuse(cache, why, err) : 1;
}

/* The blob's digest was checked on its way; this is that of the tar inside. */
static int check_tar(struct remote_cache *cache, const struct varve_layer *layer,
		     struct varve_error *err)
{
	CLEANUP(sink_hash_release) struct sink_hash hash = {.hasher = NULL};
	CLEANUP(fd_close) int fd = place_open(&cache->place, &layer->blob, err);
	int r;

	if (fd < 0)
		return fd;
	sink_hash_init(&hash, NULL);
	r = cache->unpack(fd, &layer->blob, &hash.sink, err);
	if (r == 0 && !varve_digest_equal(&hash.digest, &layer->diff_id))
		return refuse(cache, "its layer does not unpack to what it says", err);
	return r;
}

static int get_layer(struct remote_cache *cache, const struct varve_layer *layer,
		     struct varve_error *err)
{
	bool there = place_has(&cache->place, &layer->blob);
	_Atomic uint64_t unused = 0;
	int r = pull_blob(cache->registry, cache->client, &cache->place, &layer->blob, &unused,
			  err);

	return r < 0 || there ? r : check_tar(cache, layer, err);
}

int remote_cache_get(struct remote_cache *cache, const struct varve_digest *key,
		     struct varve_error *err)
{
	CLEANUP(store_record_release) struct store_record record = {0};
	int r = get_record(cache, key, &record, err);

	if (r <= 0)
		return r;
	for (size_t i = 0; i < record.layers.count && r >= 0; i++)
		r = get_layer(cache, &record.layers.items[i], err);
	if (r >= 0)
		r = store_record_write(cache->place.store, &record, err);
	return r < 0 ? r : 1;
}

/* --- writing -------------------------------------------------------------------------------------
 */

int remote_cache_keep(struct remote_cache *cache, const json_t *document, const char *type,
		      struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_canonical(document, &text);
	(void)snprintf(ret->media_type, sizeof(ret->media_type), "%s", type);
	ret->size = text.len;
	return store_blob_put(cache->place.store, text.data, text.len, &ret->digest, err);
}

static int make_artifact(struct remote_cache *cache, const struct store_record *record,
			 struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *document = store_record_to_json(record);
	CLEANUP(json_decrefp) json_t *nothing = json_object();
	CLEANUP(json_decrefp) json_t *manifest = NULL;
	struct varve_descriptor config, empty;
	int r = remote_cache_keep(cache, document, REMOTE_CACHE_TYPE, &config, err);

	if (r == 0 && record->layers.count == 0)
		r = remote_cache_keep(cache, nothing, REMOTE_CACHE_EMPTY, &empty, err);
	if (r < 0)
		return r;
	manifest = remote_cache_manifest(&config, &record->layers, &empty, time(NULL));
	return remote_cache_keep(cache, manifest, VARVE_MEDIA_MANIFEST, ret, err);
}

int remote_cache_send(struct remote_cache *cache, const char *tag,
		      const struct varve_descriptor *root, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv tags = STRV_INIT;
	const struct push push = {.registry = cache->registry,
				  .from = &cache->place,
				  .sessions = cache->place.partials};
	struct varve_descriptor there;
	struct push_result pushed;
	int r = remote_manifest_look(cache->registry, cache->client, tag, &there, err);

	if (r < 0 || (r == 1 && varve_digest_equal(&there.digest, &root->digest)))
		return r < 0 ? r : 0;
	strv_add(&tags, tag);
	r = push_run(&push, root, &tags, &pushed, err);
	return r < 0 ? r : 1;
}

int remote_cache_put(struct remote_cache *cache, const struct varve_digest *key,
		     struct varve_error *err)
{
	CLEANUP(store_record_release) struct store_record record = {0};
	struct varve_descriptor root;
	char tag[REMOTE_CACHE_TAG];
	int r = store_record_read(cache->place.store, key, &record, err);

	if (r == -VARVE_E_NOT_FOUND)
		return 0;
	if (r == 0)
		r = make_artifact(cache, &record, &root, err);
	return r < 0 ? r : remote_cache_send(cache, remote_cache_tag(key, tag), &root, err);
}
