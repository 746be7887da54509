/* SPDX-License-Identifier: Apache-2.0
 * The compressor of zstd:chunked, between its files: the tar is cut into frames (layer_chunked),
 * workers hash and compress them (layer_chunked_work), what they made is taken out in order
 * (layer_chunked_take). */
#ifndef LAYER_LAYER_CHUNKED_H
#define LAYER_LAYER_CHUNKED_H

#include "base/buf.h"
#include "base/sink.h"
#include "layer/layer_compress.h"
#include "layer/layer_jobs.h"
#include "layer/layer_marks.h"
#include "layer/layer_tar_pax.h"
#include "layer/layer_toc.h"
#include "layer/layer_vouch.h"

/* Where a layer begins, and what it shall tell of its marks. */
struct layer_marking {
	const struct layer_mark *from; /* of the blob of the known frames: what is before it is left
					  out of tar and blob alike; NULL: all comes */
	struct layer_marks *marks; /* gets those of this layer, without the states of its hashes */
	struct sink_marks *tar, *blob; /* told where those states are wanted */
	struct layer_vouched *vouched; /* asked for digests; NULL: nobody knows any */
};
/* Before anything is written, to what layer_chunked_new made. All is borrowed, but from only for
 * the call. Returns 1; 0: the blob's table does not fit the mark, and the layer begins at its
 * beginning. */
int layer_chunked_begin(struct sink *compressor, const struct layer_marking *marking,
			struct varve_error *err);

/* A frame of the blob. */
struct chunked_piece {
	size_t len; /* bytes of the tar */
	bool is_content, is_last; /* of a file */
	bool is_known; /* digest is there already */
	struct varve_digest file; /* valid at the last of several */
	/* What the worker found: */
	size_t packed;
	struct varve_digest digest;
	uint64_t crc;
};

struct chunked_entry {
	struct toc_entry text;
	size_t before; /* the piece that its header lies in */
	bool has_content;
};

/* A stretch of the tar with its cuts. */
struct chunked_job {
	struct layer_job base;
	struct buf in, out;
	struct chunked_piece *pieces;
	size_t piece_count, piece_alloc;
	struct chunked_entry *entries;
	size_t entry_count, entry_alloc, entries_made; /* made: have memory to use again */
	bool has_mark; /* at its end */
	struct layer_mark mark; /* as far as the tar tells */
};

enum chunked_state { CHUNKED_HEADERS, CHUNKED_EXTENDED, CHUNKED_CONTENT, CHUNKED_REST };

struct chunked {
	struct layer_compressor base;
	int level;
	const struct layer_frames *known;
	struct layer_marking marking;
	struct layer_jobs jobs;
	struct chunked_job *ring;
	size_t ring_size;
	/* The tar so far: */
	uint64_t tar_at; /* bytes */
	enum chunked_state state;
	uint64_t need; /* bytes to come in this state */
	uint64_t extended; /* bytes of the records, without padding */
	struct buf raw; /* since the last content */
	struct hasher *between; /* all that is no content */
	struct tar_pax pax;
	struct buf names[2];
	struct chunked_piece piece; /* being filled, at the end of the current job */
	uint64_t file_size;
	bool will_mark; /* at its end */
	bool is_known; /* its digest */
	struct varve_digest known_file;
	size_t number; /* of its piece being filled */
	struct hasher *file; /* of a file of several pieces */
	/* What was taken out: */
	struct toc toc;
	uint64_t written;
	struct toc_entry open; /* the file whose pieces come */
	struct toc_piece *parts;
	size_t part_count, part_alloc;
	uint64_t crc, at;
	struct hasher *files; /* their digests */
};

/* What a worker does; its cookie is the struct chunked. */
extern const struct layer_jobs_kind chunked_work;

/* Writes out what is in the current job, so that it can be filled again. */
int chunked_retire(struct chunked *c, struct varve_error *err);

#endif
