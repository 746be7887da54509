/* SPDX-License-Identifier: Apache-2.0
 * The beginning of a blob, copied from another one in a thread of its own while the rest is made.
 */
#ifndef LAYER_LAYER_BEGINNING_H
#define LAYER_LAYER_BEGINNING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct layer_beginning {
	int from, to; /* borrowed */
	uint64_t len; /* bytes */
	pthread_t thread;
	bool running;
	int result; /* the thread's until it has ended */
};

/* Where no thread is to be had, all is done at once. Harmless to finish on what is all zero. */
void layer_beginning_start(struct layer_beginning *b, int from, int to, uint64_t len);
/* Returns 0 or -errno; and again the same. */
int layer_beginning_finish(struct layer_beginning *b);

#endif
