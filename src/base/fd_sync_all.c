/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd_sync_all.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* They sleep: their number has nothing to do with that of processors. */
enum { SYNC_THREADS = 16 };

struct syncing {
	const int *fds;
	size_t count;
	atomic_size_t next;
	atomic_int result;
};

static void *sync_some(void *cookie)
{
	struct syncing *s = cookie;
	size_t at;

	while ((at = atomic_fetch_add(&s->next, 1)) < s->count) {
		int none = 0;

		if (fsync(s->fds[at]) < 0)
			(void)atomic_compare_exchange_strong(&s->result, &none, -errno);
	}
	return NULL;
}

int fd_sync_all(const int *fds, size_t count)
{
	struct syncing s = {.fds = fds, .count = count};
	pthread_t threads[SYNC_THREADS];
	size_t started = 0, i;

	/* The caller is one of them, and does all where no other starts. */
	while (started < SYNC_THREADS && started + 1 < count &&
	       pthread_create(&threads[started], NULL, sync_some, &s) == 0)
		started++;
	(void)sync_some(&s);
	for (i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	return atomic_load(&s.result);
}
