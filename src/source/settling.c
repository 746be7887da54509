/* SPDX-License-Identifier: Apache-2.0 */
#include "source/settling.h"

#include <stdlib.h>

#include "base/buf.h"

/* So many are worth a commit of the file system's journal of their own. */
enum { SETTLING_BATCH = 24 };

void settling_init(struct settling *s, struct varve_store *store, size_t limit)
{
	*s = (struct settling){.store = store};
	s->waiting = xcalloc(limit + 1, sizeof(*s->waiting));
	s->batch = xcalloc(limit + 1, sizeof(*s->batch));
}

static void *settle(void *cookie)
{
	struct settling *s = cookie;
	int r = store_blobs_adopt(s->store, s->batch, s->batch_count,
				  s->result == 0 ? &s->error : NULL);

	if (r < 0 && s->result == 0)
		s->result = r;
	atomic_store(&s->ended, true);
	return NULL;
}

static void join(struct settling *s)
{
	if (s->started)
		(void)pthread_join(s->thread, NULL);
	s->started = false;
}

/* Hands the waiting ones over, where the thread is done with the last. */
static void start(struct settling *s)
{
	struct store_adoption *free_again = s->batch;

	if (s->waiting_count == 0 || (s->started && !atomic_load(&s->ended)))
		return;
	join(s);
	s->batch = s->waiting;
	s->batch_count = s->waiting_count;
	s->waiting = free_again;
	s->waiting_count = 0;
	atomic_store(&s->ended, false);
	s->started = pthread_create(&s->thread, NULL, settle, s) == 0;
	if (!s->started)
		(void)settle(s);
}

void settling_add(struct settling *s, const struct store_adoption *one)
{
	store_blob_hurry(one->fd);
	s->waiting[s->waiting_count++] = *one;
	if (s->waiting_count >= SETTLING_BATCH)
		start(s);
}

void settling_hurry(struct settling *s)
{
	start(s);
}

int settling_end(struct settling *s, struct varve_error *err)
{
	join(s);
	start(s);
	join(s);
	if (s->result < 0 && err)
		*err = s->error;
	return s->result;
}

void settling_release(struct settling *s)
{
	join(s);
	free(s->waiting);
	free(s->batch);
}
