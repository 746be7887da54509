/* SPDX-License-Identifier: Apache-2.0
 * A sink takes bytes: tar -> hash -> compress -> hash -> blob. Sinks are stacked; each keeps the
 * first error (sticky), so that a producer checks once, at close. */
#ifndef BASE_SINK_H
#define BASE_SINK_H

#include <stddef.h>
#include <stdint.h>
#include <varve/digest.h>
#include <varve/error.h>

struct sink;

struct sink_ops {
	int (*write)(struct sink *sink, const void *data, size_t len, struct varve_error *err);
	/* Flushes; closes the sink below where there is one. Called once, also after an error. */
	int (*close)(struct sink *sink, struct varve_error *err);
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

/* Counts and hashes on the way to the next sink (borrowed; NULL: nowhere). */
struct hasher;
struct sink_hash {
	struct sink sink;
	struct sink *next;
	struct hasher *hasher;
	uint64_t written;
	struct varve_digest digest; /* valid after a successful close */
};
void sink_hash_init(struct sink_hash *s, struct sink *next);
void sink_hash_release(struct sink_hash *s);

#endif
