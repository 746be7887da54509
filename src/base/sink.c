/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/digest.h"
#include "base/fd.h"

static void keep_first_error(struct sink *sink, int r, const struct varve_error *text)
{
	if (r >= 0 || sink->error)
		return;
	sink->error = r;
	if (text->code)
		sink->text = *text;
	else
		(void)varve_error_set(&sink->text, r, "write");
}

int sink_write(struct sink *sink, const void *data, size_t len)
{
	if (sink->error)
		return sink->error;
	if (len)
		keep_first_error(sink, sink->ops->write(sink, data, len, &sink->text), &sink->text);
	return sink->error;
}

int sink_close(struct sink *sink, struct varve_error *err)
{
	struct varve_error later = {.code = 0};

	keep_first_error(sink, sink->ops->close(sink, &later), &later);
	if (sink->error && err)
		*err = sink->text;
	return sink->error;
}

bool sink_can_leave(const struct sink *sink)
{
	return sink->ops->leave != NULL;
}

int sink_leave(struct sink *sink, uint64_t len, int *ret_fd)
{
	if (!sink->error)
		keep_first_error(sink, sink->ops->leave(sink, len, ret_fd, &sink->text),
				 &sink->text);
	return sink->error;
}

static void sink_init(struct sink *sink, const struct sink_ops *ops)
{
	sink->ops = ops;
	sink->error = 0;
	sink->text = (struct varve_error){.code = 0};
}

static int nothing_to_close(struct sink *sink, struct varve_error *err)
{
	(void)sink;
	(void)err;
	return 0;
}

static int fd_sink_write(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	struct sink_fd *s = (struct sink_fd *)sink;
	int r = fd_write_all(s->fd, data, len);

	if (r < 0)
		return varve_error_set(err, r, "write");
	s->written += len;
	return 0;
}

static int fd_sink_leave(struct sink *sink, uint64_t len, int *ret_fd, struct varve_error *err)
{
	struct sink_fd *s = (struct sink_fd *)sink;

	if (lseek(s->fd, (off_t)len, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "seek");
	s->written += len;
	*ret_fd = s->fd;
	return 0;
}

void sink_fd_init(struct sink_fd *s, int fd)
{
	static const struct sink_ops ops = {fd_sink_write, nothing_to_close, fd_sink_leave};

	sink_init(&s->sink, &ops);
	s->fd = fd;
	s->written = 0;
}

static int buf_sink_write(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	struct sink_buf *s = (struct sink_buf *)sink;

	(void)err;
	buf_add(s->buf, data, len);
	return 0;
}

void sink_buf_init(struct sink_buf *s, struct buf *buf)
{
	static const struct sink_ops ops = {buf_sink_write, nothing_to_close, NULL};

	sink_init(&s->sink, &ops);
	s->buf = buf;
}

/* --- hashing on the way ------------------------------------------------------------------------
 */

void sink_marks_init(struct sink_marks *m)
{
	*m = (struct sink_marks){.mutex = PTHREAD_MUTEX_INITIALIZER};
}

void sink_marks_release(struct sink_marks *m)
{
	free(m->items);
	m->items = NULL;
}

void sink_marks_want(struct sink_marks *m, uint64_t at)
{
	(void)pthread_mutex_lock(&m->mutex);
	m->items = array_grow(m->items, m->count, &m->alloc, sizeof(*m->items));
	m->items[m->count++] = (struct sink_mark){.at = at};
	(void)pthread_mutex_unlock(&m->mutex);
}

/* Keeps the state where it is wanted here. Returns the bytes to the next such place, at most len.
 */
static size_t settle(struct sink_hash *s, size_t len)
{
	struct sink_marks *m = s->marks;

	(void)pthread_mutex_lock(&m->mutex);
	for (; m->reached < m->count && m->items[m->reached].at <= s->written; m->reached++)
		hasher_save(s->hasher, &m->items[m->reached].state);
	if (m->reached < m->count && m->items[m->reached].at - s->written < len)
		len = (size_t)(m->items[m->reached].at - s->written);
	(void)pthread_mutex_unlock(&m->mutex);
	return len;
}

static void hash(struct sink_hash *s, const unsigned char *data, size_t len)
{
	while (len > 0) {
		size_t n = s->marks ? settle(s, len) : len;

		hasher_update(s->hasher, data, n);
		s->written += n;
		data += n;
		len -= n;
	}
	if (s->marks)
		(void)settle(s, 0);
}

static int hash_sink_write(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	struct sink_hash *s = (struct sink_hash *)sink;
	int r = s->next ? sink_write(s->next, data, len) : 0;

	if (r < 0)
		*err = s->next->text;
	else
		hash(s, data, len);
	return r;
}

static int hash_sink_close(struct sink *sink, struct varve_error *err)
{
	struct sink_hash *s = (struct sink_hash *)sink;

	hasher_final(s->hasher, &s->digest);
	return s->next ? sink_close(s->next, err) : 0;
}

void sink_hash_init(struct sink_hash *s, struct sink *next)
{
	static const struct sink_ops ops = {hash_sink_write, hash_sink_close, NULL};

	sink_init(&s->sink, &ops);
	s->next = next;
	s->hasher = hasher_new();
	s->written = 0;
	s->marks = NULL;
}

void sink_hash_resume(struct sink_hash *s, const struct hasher_state *state)
{
	hasher_load(s->hasher, state);
	s->written = state->length;
}

void sink_hash_release(struct sink_hash *s)
{
	if (s)
		hasher_freep(&s->hasher);
}
