/* SPDX-License-Identifier: Apache-2.0
 * A layer's tar made ahead of the one who takes it: a thread reads and decompresses the blob,
 *others hash what it read and what came out. Of a small blob, on one core, and where no thread is
 *to be had, the taker does it all.
 *
 *	blob -> [hash] -> decompress -> [hash] -> layer_ahead_next */
#ifndef LAYER_LAYER_AHEAD_H
#define LAYER_LAYER_AHEAD_H

#include <stdint.h>
#include <sys/types.h>
#include <varve/digest.h>
#include <varve/error.h>

struct layer_ahead;
struct layer_stream;

/* stream: borrowed, and not to be used before layer_ahead_stop. blob_size: bytes. */
struct layer_ahead *layer_ahead_new(struct layer_stream *stream, uint64_t blob_size);
/* The next bytes, borrowed until the next call. Returns the count, 0 at the end. */
ssize_t layer_ahead_next(struct layer_ahead *a, const void **ret, struct varve_error *err);
/* After the end: the digest of all bytes. */
void layer_ahead_finish(struct layer_ahead *a, struct varve_digest *ret);
/* Ends the threads, wherever they are: the stream is the caller's again. */
void layer_ahead_stop(struct layer_ahead *a);
void layer_ahead_freep(struct layer_ahead **a);

#endif
