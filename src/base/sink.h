/* SPDX-License-Identifier: Apache-2.0
 * A sink takes bytes: tar -> hash -> compress -> hash -> blob. Sinks are stacked; each keeps the
 * first error (sticky), so that a producer checks once, at close. */
#ifndef BASE_SINK_H
#define BASE_SINK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/digest.h>
#include <varve/error.h>
#include "base/digest.h"

struct sink;

struct sink_ops {
	int (*write)(struct sink *sink, const void *data, size_t len, struct varve_error *err);
	/* Flushes; closes the sink below where there is one. Called once, also after an error. */
	int (*close)(struct sink *sink, struct varve_error *err);
	/* As sink_leave; NULL: it takes all bytes by write. */
	int (*leave)(struct sink *sink, uint64_t len, int *ret_fd, struct varve_error *err);
};

/* Embedded as the first member of each kind of sink. */
struct sink {
	const struct sink_ops *ops;
	int error; /* the first failure, 0 while there is none */
	struct varve_error text; /* its text */
};

/* Does nothing after the first failure, and returns that failure. */
int sink_write(struct sink *sink, const void *data, size_t len);
/* Returns the first failure of the sink's life, with its text in err. */
int sink_close(struct sink *sink, struct varve_error *err);

/* Before anything is written: the first len bytes of what the sink makes come by another way. The
 * caller puts them at the beginning of *ret_fd (borrowed), by its offsets, before anybody uses that
 * file; what is written follows them. Only where sink_can_leave. */
bool sink_can_leave(const struct sink *sink);
int sink_leave(struct sink *sink, uint64_t len, int *ret_fd);

/* Into a file descriptor (borrowed). */
struct sink_fd {
	struct sink sink;
	int fd;
	uint64_t written;
};
void sink_fd_init(struct sink_fd *s, int fd);

/* Into a buffer (borrowed), for tests and small documents. */
struct buf;
struct sink_buf {
	struct sink sink;
	struct buf *buf;
};
void sink_buf_init(struct sink_buf *s, struct buf *buf);

/* Where states of a hash are wanted, named before the bytes come: by one thread, for another that
 * hashes. */
struct sink_mark {
	uint64_t at; /* bytes before it */
	struct hasher_state state; /* of them; once they were hashed */
};
struct sink_marks {
	pthread_mutex_t mutex;
	struct sink_mark *items; /* in ascending order */
	size_t count, alloc;
	size_t reached; /* of them */
};
void sink_marks_init(struct sink_marks *m);
void sink_marks_release(struct sink_marks *m);
void sink_marks_want(struct sink_marks *m, uint64_t at);

/* Counts and hashes on the way to the next sink (borrowed; NULL: nowhere). */
struct hasher;
struct sink_hash {
	struct sink sink;
	struct sink *next;
	struct hasher *hasher;
	uint64_t written;
	struct varve_digest digest; /* valid after a successful close */
	struct sink_marks *marks; /* borrowed; NULL: none. Those that the next sink names during a
				     write may lie in it */
};
void sink_hash_init(struct sink_hash *s, struct sink *next);
/* Before anything is written: what was hashed before counts as written. */
void sink_hash_resume(struct sink_hash *s, const struct hasher_state *state);
void sink_hash_release(struct sink_hash *s);

#endif
