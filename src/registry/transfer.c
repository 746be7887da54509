/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transfer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "registry/registry.h"

enum { PARALLEL = 4, THREADS = 64, TELL_MS = 200 };

struct pool {
	struct transfers *transfers;
	pthread_mutex_t mutex; /* of all below */
	pthread_cond_t ended_one;
	size_t next, ended;
	int64_t told; /* ms: of progress; the caller's thread alone */
};

static void run_one(struct pool *pool, struct transfer *transfer, struct http_client *client)
{
	struct transfers *all = pool->transfers;

	if (registry_stopped(all->registry))
		transfer->result = varve_error_set(&transfer->error, -VARVE_E_CANCELLED, "stopped");
	else
		transfer->result = all->run(all->cookie, transfer, client, &transfer->error);
	if (transfer->result < 0)
		registry_abandon(all->registry);
}

static struct transfer *take(struct pool *pool)
{
	struct transfer *transfer = NULL;

	(void)pthread_mutex_lock(&pool->mutex);
	if (pool->next < pool->transfers->count)
		transfer = &pool->transfers->items[pool->next++];
	(void)pthread_mutex_unlock(&pool->mutex);
	return transfer;
}

static void *work(void *cookie)
{
	CLEANUP(http_client_freep) struct http_client *client = NULL;
	struct pool *pool = cookie;
	struct transfer *transfer;
	struct varve_error error = {0};
	int r = http_client_new(&client, &error);

	while ((transfer = take(pool))) {
		if (r == 0) {
			run_one(pool, transfer, client);
		} else {
			transfer->result = r;
			transfer->error = error;
		}
		(void)pthread_mutex_lock(&pool->mutex);
		pool->ended++;
		(void)pthread_cond_signal(&pool->ended_one);
		(void)pthread_mutex_unlock(&pool->mutex);
	}
	return NULL;
}

static void tell(struct pool *pool, bool at_end)
{
	const struct transfers *all = pool->transfers;
	const struct registry_settings *settings = registry_settings(all->registry);
	uint64_t done = 0, total = 0;

	if (!settings->progress || (!at_end && clock_ms() - pool->told < TELL_MS))
		return;
	pool->told = clock_ms();
	for (size_t i = 0; i < all->count; i++) {
		done += atomic_load(&all->items[i].done);
		total += all->items[i].blob->size;
	}
	settings->progress(settings->cookie, all->what, done, total);
}

static void wait_for_all(struct pool *pool)
{
	struct transfers *all = pool->transfers;
	struct timespec until;

	(void)pthread_mutex_lock(&pool->mutex);
	while (pool->ended < all->count) {
		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += TELL_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		(void)pthread_cond_timedwait(&pool->ended_one, &pool->mutex, &until);
		(void)pthread_mutex_unlock(&pool->mutex);
		tell(pool, false);
		if (registry_stopped(all->registry))
			registry_abandon(all->registry);
		(void)pthread_mutex_lock(&pool->mutex);
	}
	(void)pthread_mutex_unlock(&pool->mutex);
}

/* The others were stopped because of the first that failed: its error is the one to show. */
static int first_failure(const struct transfers *all, struct varve_error *err)
{
	const struct transfer *first = NULL;

	for (size_t i = 0; i < all->count; i++) {
		const struct transfer *t = &all->items[i];

		if (t->result < 0 &&
		    (!first || (first->result == -VARVE_E_CANCELLED && t->result != first->result)))
			first = t;
	}
	if (!first)
		return 0;
	if (err)
		*err = first->error;
	return first->result;
}

int transfers_run(struct transfers *all, struct varve_error *err)
{
	struct pool pool = {.transfers = all, .told = clock_ms()};
	unsigned parallel = registry_settings(all->registry)->parallel;
	pthread_t threads[THREADS];
	size_t wanted, started = 0;

	wanted = parallel ? parallel : PARALLEL;
	wanted = wanted < all->count ? wanted : all->count;
	(void)pthread_mutex_init(&pool.mutex, NULL);
	(void)pthread_cond_init(&pool.ended_one, NULL);
	while (started < wanted && started < THREADS &&
	       pthread_create(&threads[started], NULL, work, &pool) == 0)
		started++;
	if (started > 0) {
		wait_for_all(&pool);
		tell(&pool, true);
	}
	for (size_t i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	(void)pthread_cond_destroy(&pool.ended_one);
	(void)pthread_mutex_destroy(&pool.mutex);
	if (wanted > 0 && started == 0)
		return varve_error_set(err, -EAGAIN, "start a thread");
	return first_failure(all, err);
}
