/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_ring.h"

#include <stdint.h>
#include <stdlib.h>
#include "base/buf.h"
#include "base/digest.h"

enum { BLOCKS = 16 };

struct layer_ring {
	struct layer_block blocks[BLOCKS];
	pthread_mutex_t mutex; /* of all below */
	pthread_cond_t moved; /* a reader went on, or a block came */
	uint64_t filled; /* blocks pushed since the beginning */
	uint64_t taken[LAYER_RING_READERS]; /* blocks that the reader has asked for */
	unsigned readers;
	bool end, stop;
};

struct layer_ring *layer_ring_new(unsigned readers)
{
	struct layer_ring *ring = xcalloc(1, sizeof(*ring));

	ring->readers = readers;
	for (size_t i = 0; i < BLOCKS; i++)
		ring->blocks[i].data = xmalloc(LAYER_RING_BLOCK);
	(void)pthread_mutex_init(&ring->mutex, NULL);
	(void)pthread_cond_init(&ring->moved, NULL);
	return ring;
}

void layer_ring_free(struct layer_ring *ring)
{
	if (!ring)
		return;
	(void)pthread_mutex_destroy(&ring->mutex);
	(void)pthread_cond_destroy(&ring->moved);
	for (size_t i = 0; i < BLOCKS; i++)
		free(ring->blocks[i].data);
	free(ring);
}

/* Whether the filler would come upon a block that is still being read: the last one that each
 * reader took, and all behind it. */
static bool is_full(const struct layer_ring *ring)
{
	for (unsigned i = 0; i < ring->readers; i++) {
		uint64_t past = ring->taken[i] > 0 ? ring->taken[i] - 1 : 0;

		if (ring->filled - past >= BLOCKS)
			return true;
	}
	return false;
}

unsigned char *layer_ring_room(struct layer_ring *ring)
{
	unsigned char *room;

	(void)pthread_mutex_lock(&ring->mutex);
	while (!ring->stop && is_full(ring))
		(void)pthread_cond_wait(&ring->moved, &ring->mutex);
	room = ring->stop ? NULL : ring->blocks[ring->filled % BLOCKS].data;
	(void)pthread_mutex_unlock(&ring->mutex);
	return room;
}

void layer_ring_push(struct layer_ring *ring, size_t len)
{
	(void)pthread_mutex_lock(&ring->mutex);
	ring->blocks[ring->filled % BLOCKS].len = len;
	ring->filled++;
	(void)pthread_cond_broadcast(&ring->moved);
	(void)pthread_mutex_unlock(&ring->mutex);
}

static void set(struct layer_ring *ring, bool *flag)
{
	(void)pthread_mutex_lock(&ring->mutex);
	*flag = true;
	(void)pthread_cond_broadcast(&ring->moved);
	(void)pthread_mutex_unlock(&ring->mutex);
}

void layer_ring_end(struct layer_ring *ring)
{
	set(ring, &ring->end);
}

void layer_ring_stop(struct layer_ring *ring)
{
	set(ring, &ring->stop);
}

const struct layer_block *layer_ring_take(struct layer_ring *ring, unsigned reader)
{
	const struct layer_block *block = NULL;
	uint64_t at;

	(void)pthread_mutex_lock(&ring->mutex);
	at = ring->taken[reader];
	while (!ring->stop && !ring->end && ring->filled == at)
		(void)pthread_cond_wait(&ring->moved, &ring->mutex);
	if (!ring->stop && ring->filled > at) {
		block = &ring->blocks[at % BLOCKS];
		ring->taken[reader] = at + 1;
		(void)pthread_cond_broadcast(&ring->moved);
	}
	(void)pthread_mutex_unlock(&ring->mutex);
	return block;
}

/* --- hashing -------------------------------------------------------------------------------------
 */

static void *hash(void *cookie)
{
	struct layer_ring_hash *h = cookie;
	const struct layer_block *block;

	while ((block = layer_ring_take(h->ring, h->reader)))
		hasher_update(h->hasher, block->data, block->len);
	return NULL;
}

int layer_ring_hash_start(struct layer_ring_hash *h, struct layer_ring *ring, unsigned reader)
{
	int r;

	*h = (struct layer_ring_hash){.ring = ring, .reader = reader, .hasher = hasher_new()};
	r = pthread_create(&h->thread, NULL, hash, h);
	h->running = r == 0;
	if (r != 0)
		hasher_freep(&h->hasher);
	return -r;
}

void layer_ring_hash_finish(struct layer_ring_hash *h, struct varve_digest *ret)
{
	if (!h->running)
		return;
	(void)pthread_join(h->thread, NULL);
	h->running = false;
	if (ret)
		hasher_final(h->hasher, ret);
	hasher_freep(&h->hasher);
}
