/* SPDX-License-Identifier: Apache-2.0
 * Documents and names that are made together: what a build writes for each of its images. Written
 * as one they cost a few syncs of the disk, and one writing of index.json, however many they are.
 */
#ifndef STORE_STORE_BATCH_H
#define STORE_STORE_BATCH_H

#include "base/buf.h"
#include "store/store.h"

struct store_batch_document {
	struct varve_digest digest;
	struct buf bytes;
};
/* Zero-initialised. */
struct store_batch {
	struct store_batch_document *documents;
	size_t document_count, document_alloc;
	size_t size; /* bytes of the documents in memory */
	struct store_name *names;
	size_t name_count, name_alloc;
};
void store_batch_release(struct store_batch *batch); /* usable with CLEANUP */

/* A blob that is to be there. ret: its digest and size, other members as they were. */
void store_batch_add(struct store_batch *batch, struct buf *take_bytes,
		     struct varve_descriptor *ret);
/* A name that is to stand for a manifest, as with store_index_set; of equal names the last one. */
void store_batch_name(struct store_batch *batch, const char *name,
		      const struct varve_descriptor *manifest);
/* Blobs that are not there yet, on the disk; the batch has no documents then. For one that grows.
 */
enum { STORE_BATCH_LARGE = 8 << 20 }; /* a size to do so at */
int store_batch_flush(struct store_batch *batch, struct varve_store *store,
		      struct varve_error *err);
/* That, and then the names. */
int store_batch_write(struct store_batch *batch, struct varve_store *store,
		      struct varve_error *err);

#endif
