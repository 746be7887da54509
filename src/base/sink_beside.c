/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sink_beside.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

/* Writes out what is ready, in order; after a failure it only makes room. */
static void *follow(void *cookie)
{
	struct sink_beside *s = cookie;
	unsigned at = 0;

	(void)pthread_mutex_lock(&s->mutex);
	for (;;) {
		int r;

		while (s->ready == 0 && !s->ends)
			(void)pthread_cond_wait(&s->more, &s->mutex);
		if (s->ready == 0)
			break;
		(void)pthread_mutex_unlock(&s->mutex);
		r = sink_write(s->next, s->buffers[at], s->lengths[at]);
		at = (at + 1) % SINK_BESIDE_BUFFERS;
		(void)pthread_mutex_lock(&s->mutex);
		s->failed = r;
		s->ready--;
		(void)pthread_cond_signal(&s->room);
	}
	(void)pthread_mutex_unlock(&s->mutex);
	return NULL;
}

/* Hands over the buffer being filled, and waits for the next one. */
static int hand_over(struct sink_beside *s)
{
	int r;

	if (!s->has_thread) {
		r = sink_write(s->next, s->buffers[s->fill], s->filled);
		s->filled = 0;
		return r;
	}
	(void)pthread_mutex_lock(&s->mutex);
	s->lengths[s->fill] = s->filled;
	s->ready++;
	(void)pthread_cond_signal(&s->more);
	while (s->ready == SINK_BESIDE_BUFFERS)
		(void)pthread_cond_wait(&s->room, &s->mutex);
	r = s->failed;
	(void)pthread_mutex_unlock(&s->mutex);
	s->fill = (s->fill + 1) % SINK_BESIDE_BUFFERS;
	s->filled = 0;
	return r;
}

static void *room_of(struct sink_beside *s, size_t *ret_len)
{
	if (!s->buffers[s->fill])
		s->buffers[s->fill] = xmalloc(SINK_BESIDE_SIZE);
	*ret_len = SINK_BESIDE_SIZE - s->filled;
	return s->buffers[s->fill] + s->filled;
}

static int put(struct sink_beside *s, size_t len)
{
	s->filled += len;
	return s->filled == SINK_BESIDE_SIZE ? hand_over(s) : 0;
}

static int beside_write(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	struct sink_beside *s = (struct sink_beside *)sink;
	const unsigned char *from = data;
	int r = 0;

	while (len > 0 && r == 0) {
		size_t n;
		void *room = room_of(s, &n);

		if (n > len)
			n = len;
		memcpy(room, from, n);
		from += n;
		len -= n;
		r = put(s, n);
	}
	if (r < 0)
		*err = s->next->text;
	return r;
}

static void end_thread(struct sink_beside *s)
{
	if (!s->has_thread)
		return;
	(void)pthread_mutex_lock(&s->mutex);
	s->ends = true;
	(void)pthread_cond_signal(&s->more);
	(void)pthread_mutex_unlock(&s->mutex);
	(void)pthread_join(s->thread, NULL);
	s->has_thread = false;
}

static int beside_close(struct sink *sink, struct varve_error *err)
{
	struct sink_beside *s = (struct sink_beside *)sink;

	if (s->filled > 0)
		(void)hand_over(s);
	end_thread(s);
	return sink_close(s->next, err);
}

/* Signals are for the threads of the caller. */
static bool start_thread(struct sink_beside *s)
{
	sigset_t all, before;
	bool started;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&s->thread, NULL, follow, s) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

void sink_beside_init(struct sink_beside *s, struct sink *next)
{
	static const struct sink_ops ops = {beside_write, beside_close, NULL};

	*s = (struct sink_beside){.sink = {.ops = &ops}, .next = next};
	(void)pthread_mutex_init(&s->mutex, NULL);
	(void)pthread_cond_init(&s->more, NULL);
	(void)pthread_cond_init(&s->room, NULL);
	s->has_thread = start_thread(s);
}

void *sink_beside_room(struct sink_beside *s, size_t *ret_len)
{
	return s->sink.error ? NULL : room_of(s, ret_len);
}

int sink_beside_put(struct sink_beside *s, size_t len)
{
	int r = s->sink.error ? s->sink.error : put(s, len);

	if (r < 0 && !s->sink.error) {
		s->sink.error = r;
		s->sink.text = s->next->text;
	}
	return r;
}

void sink_beside_release(struct sink_beside *s)
{
	if (!s->sink.ops)
		return;
	end_thread(s);
	for (unsigned i = 0; i < SINK_BESIDE_BUFFERS; i++)
		free(s->buffers[i]);
	(void)pthread_mutex_destroy(&s->mutex);
	(void)pthread_cond_destroy(&s->more);
	(void)pthread_cond_destroy(&s->room);
	s->sink.ops = NULL;
}
