/* SPDX-License-Identifier: Apache-2.0
 * A sink whose next one works in a thread of its own, so that a producer goes on reading while what
 * it made is hashed, compressed and written. Bytes arrive in their order; how they are cut into
 * writes shows nowhere. Bounded: the producer waits when SINK_BESIDE_BUFFERS are full. */
#ifndef BASE_SINK_BESIDE_H
#define BASE_SINK_BESIDE_H

#include <pthread.h>
#include <stdbool.h>
#include "base/sink.h"

enum { SINK_BESIDE_BUFFERS = 4, SINK_BESIDE_SIZE = 512 << 10 };

struct sink_beside {
	struct sink sink;
	struct sink *next; /* borrowed; the thread's from the start to the end */
	unsigned char *buffers[SINK_BESIDE_BUFFERS];
	size_t lengths[SINK_BESIDE_BUFFERS];
	unsigned fill; /* the buffer being filled: the producer's */
	size_t filled; /* bytes in it */
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t more, room;
	unsigned ready; /* full buffers before fill, in a ring */
	bool ends;
	int failed; /* what the next sink said */
};

/* Where no thread can be had, all is done by the producer. */
void sink_beside_init(struct sink_beside *s, struct sink *next);
/* Memory to put bytes into without a copy, at least one; NULL: a write failed (the sink says
 * which). */
void *sink_beside_room(struct sink_beside *s, size_t *ret_len);
/* The first len bytes of the room are there. */
int sink_beside_put(struct sink_beside *s, size_t len);
/* After sink_close or in its place: ends the thread. The next sink is then the caller's again. */
void sink_beside_release(struct sink_beside *s);

#endif
