/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_ahead.h"

#include <pthread.h>
#include <stdlib.h>
#include "base/buf.h"
#include "base/capacity.h"
#include "base/digest.h"
#include "layer/layer_ring.h"
#include "layer/layer_stream.h"

enum { WORTH_THREADS = 1 << 20, TAKER = 0, HASHER = 1, READERS = 2 };

struct layer_ahead {
	struct layer_stream *stream; /* borrowed; the thread's while it runs */
	struct layer_ring *ring; /* NULL: the taker does it all */
	struct layer_ring_hash hash;
	bool running;
	pthread_t thread;
	int result; /* the thread's, to be read when the ring has ended */
	struct varve_error error;
	struct hasher *hasher; /* the taker's own */
	unsigned char *buffer;
};

static void *decompress(void *cookie)
{
	struct layer_ahead *a = cookie;
	unsigned char *room;
	ssize_t n = 0;

	while ((room = layer_ring_room(a->ring))) {
		n = layer_stream_read(a->stream, room, LAYER_RING_BLOCK, &a->error);
		if (n <= 0)
			break;
		layer_ring_push(a->ring, (size_t)n);
	}
	a->result = (int)n;
	layer_ring_end(a->ring);
	return NULL;
}

/* False: no threads are to be had. */
static bool start(struct layer_ahead *a)
{
	a->ring = layer_ring_new(READERS);
	if (layer_ring_hash_start(&a->hash, a->ring, HASHER) == 0) {
		a->running = pthread_create(&a->thread, NULL, decompress, a) == 0;
		if (a->running)
			return true;
		layer_ring_stop(a->ring);
		layer_ring_hash_finish(&a->hash, NULL);
	}
	layer_ring_free(a->ring);
	a->ring = NULL;
	return false;
}

struct layer_ahead *layer_ahead_new(struct layer_stream *stream, uint64_t blob_size)
{
	struct layer_ahead *a = xcalloc(1, sizeof(*a));

	a->stream = stream;
	if (blob_size >= WORTH_THREADS && capacity_cores() > 1) {
		layer_stream_hash_beside(stream);
		if (start(a))
			return a;
	}
	a->hasher = hasher_new();
	a->buffer = xmalloc(LAYER_RING_BLOCK);
	return a;
}

static ssize_t read_here(struct layer_ahead *a, const void **ret, struct varve_error *err)
{
	ssize_t n = layer_stream_read(a->stream, a->buffer, LAYER_RING_BLOCK, err);

	if (n > 0)
		hasher_update(a->hasher, a->buffer, (size_t)n);
	*ret = a->buffer;
	return n;
}

static ssize_t take(struct layer_ahead *a, const void **ret, struct varve_error *err)
{
	const struct layer_block *block = layer_ring_take(a->ring, TAKER);

	if (!block) {
		if (a->result < 0 && err)
			*err = a->error;
		return a->result;
	}
	*ret = block->data;
	return (ssize_t)block->len;
}

ssize_t layer_ahead_next(struct layer_ahead *a, const void **ret, struct varve_error *err)
{
	return a->ring ? take(a, ret, err) : read_here(a, ret, err);
}

void layer_ahead_finish(struct layer_ahead *a, struct varve_digest *ret)
{
	if (a->ring)
		layer_ring_hash_finish(&a->hash, ret);
	else
		hasher_final(a->hasher, ret);
}

void layer_ahead_stop(struct layer_ahead *a)
{
	if (!a->ring)
		return;
	layer_ring_stop(a->ring);
	layer_ring_hash_finish(&a->hash, NULL);
	if (a->running)
		(void)pthread_join(a->thread, NULL);
	a->running = false;
}

void layer_ahead_freep(struct layer_ahead **ahead)
{
	struct layer_ahead *a = *ahead;

	*ahead = NULL;
	if (!a)
		return;
	layer_ahead_stop(a);
	layer_ring_free(a->ring);
	hasher_free(a->hasher);
	free(a->buffer);
	free(a);
}
