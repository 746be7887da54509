/* SPDX-License-Identifier: Apache-2.0
 * Digests of files that are known without reading them, and how they get to where contents are
 * hashed: the writer tells them on its thread, the compressor asks on its own, both in the order of
 * the tar. */
#ifndef LAYER_LAYER_VOUCH_H
#define LAYER_LAYER_VOUCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/digest.h>

struct walk_entry;

/* Who knows. */
struct layer_vouch {
	/* The digest of a regular file of a tree; false: it is not known. */
	bool (*digest)(void *cookie, const struct walk_entry *file, struct varve_digest *ret);
	void *cookie;
};

struct layer_vouched {
	pthread_mutex_t mutex; /* of all below */
	struct layer_known {
		uint64_t entry; /* number in the tar, from 1 */
		struct varve_digest digest;
	} * items; /* those not asked for yet, from first on */
	size_t first, count, alloc;
};
void layer_vouched_init(struct layer_vouched *v);
void layer_vouched_release(struct layer_vouched *v);
/* Before the entry's content is on its way. */
void layer_vouched_tell(struct layer_vouched *v, uint64_t entry, const struct varve_digest *digest);
bool layer_vouched_ask(struct layer_vouched *v, uint64_t entry, struct varve_digest *ret);

#endif
