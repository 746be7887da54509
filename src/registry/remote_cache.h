/* SPDX-License-Identifier: Apache-2.0
 * A repository that shares the records of steps. One record is one artifact:
 *
 *	tag       "step-" HEX, HEX of the step's key
 *	manifest  artifactType REMOTE_CACHE_TYPE, config: the record (see store/store.h), layers:
 *its layers' blobs, or the empty descriptor where the step changed nothing annotation
 *org.opencontainers.image.created: the day of its last use by a writer
 *
 * Beside them lie short texts: tag and annotation dev.varve.fact are the name, the annotation
 * dev.varve.text the text, and there is no content.
 *
 * Nothing of it is believed: the record's input has to hash to the key, its layer has to be the one
 * of the manifest, the blob's bytes have to be what both digests (of the blob and of the tar) say.
 * Who may write to the repository could still share a wrong layer under a right key: as with any
 * shared cache. Two writers of one key write the same, or the last one wins. */
#ifndef REGISTRY_REMOTE_CACHE_H
#define REGISTRY_REMOTE_CACHE_H

#include "image/image.h"
#include "registry/place.h"
#include "registry/registry.h"
#include "store/store.h"

#define REMOTE_CACHE_TYPE "application/vnd.varve.step.v1+json"
#define REMOTE_CACHE_FACT "application/vnd.varve.fact.v1+json"

struct remote_cache {
	struct registry *registry;
	struct http_client *client;
	struct place place; /* the store */
	image_unpack unpack; /* to check a layer's tar */
};

/* uploads: the store's directory of that name; borrowed, as unpack's job is the caller's. */
void remote_cache_init(struct remote_cache *cache, struct varve_store *store, int uploads,
		       image_unpack unpack);
/* push: records are written, too. */
int remote_cache_open(struct remote_cache *cache, const struct registry_settings *settings,
		      const struct reference *reference, bool push, struct varve_error *err);
void remote_cache_close(struct remote_cache *cache);

/* Brings the record and its layer into the store. 1: done; 0: there is none. -VARVE_E_DIGEST or
 * -VARVE_E_FORMAT: it was refused. */
int remote_cache_get(struct remote_cache *cache, const struct varve_digest *key,
		     struct varve_error *err);
/* The store's record of this key. 1: it was sent; 0: it was there. */
int remote_cache_put(struct remote_cache *cache, const struct varve_digest *key,
		     struct varve_error *err);

/* The same for a short text by its name, "destination-HEX" (build/destination.h). */
int remote_cache_get_fact(struct remote_cache *cache, const char *name, struct buf *ret,
			  struct varve_error *err);
int remote_cache_put_fact(struct remote_cache *cache, const char *name, const char *text,
			  struct varve_error *err);

struct remote_cache_pruned {
	size_t records, kept;
};
/* Removes records that no writer has used for so many days. What lies in the repository beside
 * records stays. Registries free the space with their own garbage collection. */
int remote_cache_prune(struct remote_cache *cache, unsigned days, bool dry_run,
		       struct remote_cache_pruned *ret, struct varve_error *err);

#endif
