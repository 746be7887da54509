/* SPDX-License-Identifier: Apache-2.0
 * A directory that holds blobs under the hex digits of their digests: a store's, an OCI layout's
 * (blobs/sha256), a "dir:". What registries read from and write to. */
#ifndef REGISTRY_PLACE_H
#define REGISTRY_PLACE_H

#include <pthread.h>
#include <stdbool.h>
#include <varve/descriptor.h>
#include <varve/error.h>

struct buf;
struct varve_store;

struct place {
	int blobs; /* directory; borrowed, as the next two */
	int partials; /* directory of downloads under way, in the same file system */
	struct varve_store *store; /* NULL: a directory of somebody else's */
	bool no_reflinks; /* image_place_blob's, of this place as a target */
	pthread_mutex_t mutex; /* a store is for one thread at a time */
};

void place_init(struct place *place, int blobs, int partials, struct varve_store *store);
void place_of_store(struct place *place, struct varve_store *store, int uploads);
void place_release(struct place *place);

/* A file of this size is there. Does not verify. */
bool place_has(const struct place *place, const struct varve_descriptor *blob);
/* Opens it, not verified. -VARVE_E_NOT_FOUND. Returns the descriptor. */
int place_open(const struct place *place, const struct varve_descriptor *blob,
	       struct varve_error *err);
/* Reads a document, verified. */
int place_read(const struct place *place, const struct varve_descriptor *blob, size_t limit,
	       struct buf *ret, struct varve_error *err);
/* Writes a document under its digest. */
int place_put(struct place *place, const struct buf *bytes, const struct varve_digest *digest,
	      struct varve_error *err);
/* A finished file partials/NAME, open as fd and verified, becomes the blob. For several threads. */
int place_land(struct place *place, int fd, const char *name, const struct varve_digest *digest,
	       struct varve_error *err);

#endif
