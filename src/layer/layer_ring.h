/* SPDX-License-Identifier: Apache-2.0
 * Blocks of bytes between threads: one fills them, in a circle; readers follow, each at its own
 * pace, and a block is filled again when all of them are past it.
 *
 *	filler: layer_ring_room -> fill -> layer_ring_push ... layer_ring_end
 *	reader: layer_ring_take ... until NULL */
#ifndef LAYER_LAYER_RING_H
#define LAYER_LAYER_RING_H

#include <pthread.h>
#include <stddef.h>
#include <stdbool.h>
#include <varve/digest.h>

enum { LAYER_RING_BLOCK = 256 << 10, LAYER_RING_READERS = 2 };

struct layer_ring;

struct layer_block {
	unsigned char *data; /* LAYER_RING_BLOCK bytes */
	size_t len; /* that are filled */
};

/* readers: at most LAYER_RING_READERS. */
struct layer_ring *layer_ring_new(unsigned readers);
/* After all threads that use it have ended. */
void layer_ring_free(struct layer_ring *ring);

/* A block to fill, after waiting for one; NULL: stopped. What was pushed before may still be read
 * by the filler until the block after it is pushed. */
unsigned char *layer_ring_room(struct layer_ring *ring);
void layer_ring_push(struct layer_ring *ring, size_t len);
/* Nothing more will come. */
void layer_ring_end(struct layer_ring *ring);
/* The next block of a reader, after waiting for one; the one before is given back. NULL: the end,
 * or stopped. */
const struct layer_block *layer_ring_take(struct layer_ring *ring, unsigned reader);
/* Ends all waiting, now and later. */
void layer_ring_stop(struct layer_ring *ring);

/* A reader that hashes, in a thread of its own. */
struct layer_ring_hash {
	struct layer_ring *ring; /* borrowed */
	unsigned reader;
	struct hasher *hasher; /* the thread's until it has ended */
	bool running;
	pthread_t thread;
};
/* Returns 0, or -errno where no thread is to be had. */
int layer_ring_hash_start(struct layer_ring_hash *h, struct layer_ring *ring, unsigned reader);
/* Waits for the end of the ring (layer_ring_end must come, or layer_ring_stop). ret may be NULL. */
void layer_ring_hash_finish(struct layer_ring_hash *h, struct varve_digest *ret);

#endif
