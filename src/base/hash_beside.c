/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash_beside.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"

enum {
	READ_SIZE = 256 << 10,
	BEHIND = 256 << 10, /* the thread is woken for so much */
};

struct hash_beside {
	struct hasher *hasher; /* the thread's, where there is one */
	int fd;
	bool is_large;
	bool has_thread;
	pthread_t thread;
	pthread_mutex_t mutex; /* of all below */
	pthread_cond_t more, idle;
	uint64_t there; /* bytes that may be hashed */
	uint64_t told; /* of them when the thread was woken last; the caller's */
	uint64_t hashed;
	bool failed; /* the file cannot be read */
	bool ends;
};

struct hash_beside *hash_beside_new(uint64_t size, uint64_t large)
{
	struct hash_beside *h = xcalloc(1, sizeof(*h));

	h->hasher = hasher_new();
	h->fd = -1;
	h->is_large = size >= large;
	(void)pthread_mutex_init(&h->mutex, NULL);
	(void)pthread_cond_init(&h->more, NULL);
	(void)pthread_cond_init(&h->idle, NULL);
	return h;
}

void hash_beside_file(struct hash_beside *h, int fd)
{
	h->fd = fd;
}

/* Without the mutex: the bytes before `until` are there, and nobody else hashes. */
static bool hash_until(struct hash_beside *h, uint64_t from, uint64_t until, unsigned char *data)
{
	while (from < until) {
		uint64_t left = until - from;
		ssize_t n = pread(h->fd, data, left < READ_SIZE ? (size_t)left : READ_SIZE,
				  (off_t)from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		hasher_update(h->hasher, data, (size_t)n);
		from += (uint64_t)n;
	}
	return true;
}

static void *follow(void *cookie)
{
	struct hash_beside *h = cookie;
	CLEANUP(free_ptr) unsigned char *data = xcalloc(1, READ_SIZE);

	(void)pthread_mutex_lock(&h->mutex);
	while (!h->ends) {
		uint64_t from = h->hashed, until = h->there;
		bool done;

		if (from == until || h->failed) {
			(void)pthread_cond_signal(&h->idle);
			(void)pthread_cond_wait(&h->more, &h->mutex);
			continue;
		}
		(void)pthread_mutex_unlock(&h->mutex);
		done = hash_until(h, from, until, data);
		(void)pthread_mutex_lock(&h->mutex);
		h->hashed = until;
		h->failed = h->failed || !done;
	}
	(void)pthread_mutex_unlock(&h->mutex);
	return NULL;
}

void hash_beside_update(struct hash_beside *h, const void *data, size_t len)
{
	if (!h->is_large) {
		hasher_update(h->hasher, data, len);
		return;
	}
	if (!h->has_thread && pthread_create(&h->thread, NULL, follow, h) != 0) {
		h->is_large = false;
		hasher_update(h->hasher, data, len);
		return;
	}
	h->has_thread = true;
	(void)pthread_mutex_lock(&h->mutex);
	h->there += len;
	if (h->there - h->told >= BEHIND) {
		h->told = h->there;
		(void)pthread_cond_signal(&h->more);
	}
	(void)pthread_mutex_unlock(&h->mutex);
}

void hash_beside_final(struct hash_beside *h, struct varve_digest *ret)
{
	bool failed = false;

	if (h->has_thread) {
		(void)pthread_mutex_lock(&h->mutex);
		(void)pthread_cond_signal(&h->more);
		while (h->hashed < h->there && !h->failed)
			(void)pthread_cond_wait(&h->idle, &h->mutex);
		failed = h->failed;
		h->there = h->told = h->hashed = 0;
		h->failed = false;
		(void)pthread_mutex_unlock(&h->mutex);
	}
	hasher_final(h->hasher, ret);
	if (failed)
		*ret = (struct varve_digest){0};
}

void hash_beside_free(struct hash_beside *h)
{
	if (!h)
		return;
	if (h->has_thread) {
		(void)pthread_mutex_lock(&h->mutex);
		h->ends = true;
		(void)pthread_cond_signal(&h->more);
		(void)pthread_mutex_unlock(&h->mutex);
		(void)pthread_join(h->thread, NULL);
	}
	(void)pthread_mutex_destroy(&h->mutex);
	(void)pthread_cond_destroy(&h->more);
	(void)pthread_cond_destroy(&h->idle);
	hasher_free(h->hasher);
	free(h);
}

void hash_beside_freep(struct hash_beside **h)
{
	hash_beside_free(*h);
	*h = NULL;
}
