/* SPDX-License-Identifier: Apache-2.0
 * The frames of an earlier blob of zstd:chunked, to be used again for content that is still the
 * same. Nothing in that blob is trusted: its table is read with limits, and a frame is used only
 * after it was decompressed and compared with the content itself. So a damaged or hostile blob
 * costs time and changes nothing. */
#ifndef LAYER_LAYER_FRAMES_H
#define LAYER_LAYER_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/digest.h>
#include <varve/error.h>
#include "base/json.h"

struct buf;
struct layer_frames;

/* Where a blob's footer says that its parts are; all within the blob. */
struct layer_footer {
	uint64_t contents, contents_len, contents_size; /* size: of the JSON */
	uint64_t split, split_len, split_size;
};
/* Of the last CHUNKED_HEADER + CHUNKED_FOOTER bytes of a blob. False: it is not of this format, or
 * not well. */
bool layer_footer_parse(const unsigned char *tail, uint64_t blob_size, struct layer_footer *ret);

/* Of a blob. Returns 1; 0: it is not of this format. */
int layer_footer_read(int blob, struct layer_footer *ret, struct varve_error *err);
/* Appends the packed table. */
int layer_footer_contents(int blob, const struct layer_footer *f, struct buf *ret,
			  struct varve_error *err);

/* The annotations of the layer's descriptor that those who fetch parts of it look for. Returns 1;
 * 0: the blob is not of this format. */
int layer_chunked_annotations(int blob, json_t **ret, struct varve_error *err);

/* Reads the table of an earlier blob (borrowed until layer_frames_free; several threads may use
 * it). Bytes stay what they would be without it when that blob came from the same compressor at the
 * same level, which is the caller's to know. -VARVE_E_FORMAT: it has no table that is well. */
int layer_frames_new(int blob, struct layer_frames **ret, struct varve_error *err);
/* The blob is as this host's compressor wrote it: what its table says of pieces holds. */
void layer_frames_trust(struct layer_frames *f);
/* Of a trusted blob: the digest of a piece of len bytes of the file that has several. */
bool layer_frames_piece(const struct layer_frames *f, const struct varve_digest *whole,
			size_t number, size_t len, struct varve_digest *ret);
int layer_frames_blob(const struct layer_frames *f); /* borrowed */
size_t layer_frames_count(const struct layer_frames *f);
void layer_frames_free(struct layer_frames *f);
void layer_frames_freep(struct layer_frames **f);

/* What a thread needs to look frames up. */
struct layer_frames_reader;
struct layer_frames_reader *layer_frames_reader_new(const struct layer_frames *f);
void layer_frames_reader_free(struct layer_frames_reader *r); /* takes NULL */
/* Appends the frame with this content, whose digest it is. Returns its length; 0: there is none. */
size_t layer_frames_take(struct layer_frames_reader *r, const struct varve_digest *digest,
			 const void *content, size_t len, struct buf *out);
/* The same of what lies before that frame: no content, and known by what comes behind it. */
size_t layer_frames_take_before(struct layer_frames_reader *r, const struct varve_digest *digest,
				const void *between, size_t len, struct buf *out);

#endif
