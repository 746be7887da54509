/* SPDX-License-Identifier: Apache-2.0
 * The documents of a shared cache; pure, but for the last two. */
#ifndef REGISTRY_REMOTE_CACHE_DOCUMENT_H
#define REGISTRY_REMOTE_CACHE_DOCUMENT_H

#include <time.h>
#include "registry/manifest.h"
#include "registry/remote_cache.h"

#define REMOTE_CACHE_EMPTY "application/vnd.oci.empty.v1+json"
enum { REMOTE_CACHE_TAG = 80 };

/* "step-HEX"; returns the buffer. */
const char *remote_cache_tag(const struct varve_digest *key, char buffer[REMOTE_CACHE_TAG]);
bool remote_cache_is_tag(const char *tag); /* of a record or a text */
/* An artifact that holds a text; empty: descriptor of an empty document. */
json_t *remote_cache_fact(const struct varve_descriptor *empty, const char *name, const char *text,
			  time_t when);
/* Its text; NULL: it is none of this name. Borrowed. */
const char *remote_cache_read_fact(const struct manifest *manifest, const char *name);
/* when: of its last use; only the day counts. empty: stands for layers where there are none. */
json_t *remote_cache_manifest(const struct varve_descriptor *config,
			      const struct layer_list *layers, const struct varve_descriptor *empty,
			      time_t when);
/* NULL, or why the record is refused. text: the config's bytes. */
const char *remote_cache_read(const struct manifest *manifest, const struct buf *text,
			      const struct varve_digest *key, struct store_record *ret);
/* Of a step, not a text. */
bool remote_cache_is_record(const struct manifest *manifest);
/* Days from the manifest's day until now; -1: it is no record, or tells no day. */
long remote_cache_age(const struct manifest *manifest, time_t now);

/* --- what records and texts share; remote_cache.c --- */
/* Writes a document into the store. */
int remote_cache_keep(struct remote_cache *cache, const json_t *document, const char *type,
		      struct varve_descriptor *ret, struct varve_error *err);
/* Sends an artifact of the store under this tag. 1: it was sent; 0: it was there. */
int remote_cache_send(struct remote_cache *cache, const char *tag,
		      const struct varve_descriptor *root, struct varve_error *err);

#endif
