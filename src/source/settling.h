/* SPDX-License-Identifier: Apache-2.0
 * Whole files become blobs in batches, in a thread beside the transfer that brings more:
 *	settling_init -> (settling_add | settling_hurry)* -> settling_end -> settling_release
 * Until settling_end returns, nobody else uses the store. */
#ifndef SOURCE_SETTLING_H
#define SOURCE_SETTLING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "store/store.h"

struct settling {
	struct varve_store *store; /* borrowed */
	struct store_adoption *waiting, *batch; /* the next ones; those the thread has */
	size_t waiting_count, batch_count;
	pthread_t thread;
	bool started;
	atomic_bool ended; /* by the thread: joining it costs no wait */
	int result; /* of the first batch that could not be kept */
	struct varve_error error;
};

/* limit: files that will be added at most. */
void settling_init(struct settling *s, struct varve_store *store, size_t limit);
/* Copies *one; what it points to stays until settling_end. */
void settling_add(struct settling *s, const struct store_adoption *one);
/* No file came for a while: what is there need not wait for more. */
void settling_hurry(struct settling *s);
/* Everything that was added is a blob, on disk; or the first failure. */
int settling_end(struct settling *s, struct varve_error *err);
void settling_release(struct settling *s); /* also of one that is all zero */

#endif
