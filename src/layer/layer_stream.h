/* SPDX-License-Identifier: Apache-2.0
 * Reading a blob decompressed. The blob's bytes are hashed on the way; what comes out is not to be
 * trusted before layer_stream_finish. */
#ifndef LAYER_LAYER_STREAM_H
#define LAYER_LAYER_STREAM_H

#include <stddef.h>
#include <sys/types.h>
#include <varve/descriptor.h>
#include <varve/error.h>

struct layer_stream;

/* Reads from the start of fd where it can seek. The compression follows from the media type. */
int layer_stream_new(int fd, const struct varve_descriptor *blob, struct layer_stream **ret,
		     struct varve_error *err);
/* Before anything is read: only parts are wanted, and the caller verifies those himself; nothing is
 * hashed and layer_stream_finish is not called. */
void layer_stream_leave_digest(struct layer_stream *s);
/* From now on a thread of its own hashes the blob's bytes; where none is to be had all stays as it
 * was. Before the first read. */
void layer_stream_hash_beside(struct layer_stream *s);
/* Fills data as far as there is something; less than len only at the end. Returns the count. */
ssize_t layer_stream_read(struct layer_stream *s, void *data, size_t len, struct varve_error *err);
/* r: the result of using the content. Reads the rest of the blob and compares digest and size, when
 * r is 0 or -VARVE_E_FORMAT: damage explains malformed content better than its symptoms do. Returns
 * r, or -VARVE_E_DIGEST. */
int layer_stream_finish(struct layer_stream *s, int r, struct varve_error *err);
void layer_stream_freep(struct layer_stream **s);

#endif
