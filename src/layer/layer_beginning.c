/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_beginning.h"

#include <fcntl.h>
#include "base/fd.h"

/* Written back this often, so that a sync at the end finds little left to wait for. */
enum { PART = 16 << 20 };

static void *copy(void *cookie)
{
	struct layer_beginning *b = cookie;
	uint64_t at = 0;

	while (at < b->len && b->result == 0) {
		uint64_t n = b->len - at < PART ? b->len - at : PART;

		b->result = fd_copy_range(b->from, b->to, at, n);
		(void)sync_file_range(b->to, (off_t)at, (off_t)n, SYNC_FILE_RANGE_WRITE);
		at += n;
	}
	return NULL;
}

void layer_beginning_start(struct layer_beginning *b, int from, int to, uint64_t len)
{
	*b = (struct layer_beginning){.from = from, .to = to, .len = len};
	b->running = pthread_create(&b->thread, NULL, copy, b) == 0;
	if (!b->running)
		(void)copy(b);
}

int layer_beginning_finish(struct layer_beginning *b)
{
	if (b->running)
		(void)pthread_join(b->thread, NULL);
	b->running = false;
	return b->result;
}
