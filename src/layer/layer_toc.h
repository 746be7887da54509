/* SPDX-License-Identifier: Apache-2.0
 * What makes a zstd layer one of "zstd:chunked" (containers/storage, pkg/chunked): skippable frames
 * at the end of the blob, which readers of plain zstd pass over.
 *
 *	blob     = { frame } skippable(zstd(contents)) skippable(zstd(tarsplit)) skippable(footer)
 *	frame    = content of one file, or a piece of CHUNKED_PIECE bytes of a larger one; or the
 *		   bytes of the tar between two contents (headers, padding, end)
 *	footer   = offset, length and plain length of zstd(contents), 1, the same three of
 *		   zstd(tarsplit): 64 bits each, little-endian; "GNUlInUx"
 *	contents = {"version":1,"entries":[entry,...],"tarSplitDigest":"sha256:..."}
 *	entry    = an object per tar entry in the order of the tar: type, name, linkName, mode,
 *size, uid, gid, modtime, devMajor, devMinor, xattrs (values in base64); for a file that is not
 *empty digest, offset and endOffset (of its frames in the blob). Pieces: chunkSize and chunkDigest,
 *and for each but the first an object of its own: type "chunk", name, offset, endOffset,
 *chunkOffset, chunkSize, chunkDigest tarsplit = a line of JSON per stretch of the tar:
 *{"type":2,"payload":base64,"position":n} for what is no content,
 *{"type":1,"name":...,"size":n,"payload":base64 of the CRC-64,"position":n} for the content of each
 *entry
 *
 * Names that are not UTF-8 or that JSON would escape (quotes, backslashes, control characters: the
 * readers do not undo it) and times after the year 9999 cannot be said so: such a layer has no
 *table and stays plain zstd. */
#ifndef LAYER_LAYER_TOC_H
#define LAYER_LAYER_TOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/digest.h>
#include <varve/error.h>
#include "base/buf.h"

struct layer_mark;
struct tar_item;
struct ZSTD_CCtx_s;

enum {
	CHUNKED_PIECE = 1 << 20,
	CHUNKED_HEADER = 8, /* of a skippable frame: magic number and length */
	CHUNKED_FOOTER = 64,
	CHUNKED_TYPE = 1, /* of contents */
};
#define CHUNKED_MAGIC "GNUlInUx"

/* JSON that is compressed as it comes: it may be larger than the memory it is worth. */
struct toc_text {
	struct ZSTD_CCtx_s *cctx;
	struct buf plain, packed;
	uint64_t size; /* of all that was plain */
	int error;
};

void toc_text_add(struct toc_text *t, const void *more, size_t len);
uint64_t toc_text_size(const struct toc_text *t); /* bytes so far, compressed or not yet */

struct toc {
	struct toc_text contents, split;
	uint64_t entries, positions;
	bool unsaid; /* some entry cannot be said in JSON */
};

/* A piece of a file: a frame of the blob. */
struct toc_piece {
	struct varve_digest digest; /* of what is in it */
	uint64_t offset, end; /* in the blob */
	uint64_t at, size; /* in the file */
};

/* An entry on its way, its text so far: from its header to the end of its content. */
struct toc_entry {
	struct buf contents, split;
	struct buf name; /* as JSON, for its pieces */
};
void toc_entry_release(struct toc_entry *e);

int toc_init(struct toc *t, struct varve_error *err);
void toc_release(struct toc *t);
/* Goes on where another blob with the same entries before the mark was. Returns 0 or -errno,
 * -VARVE_E_FORMAT: the blob's table is not well, or shorter; the toc is then to be released. */
int toc_resume(struct toc *t, int blob, const struct layer_mark *from);
/* A header: raw is all of the tar since the content before it. Fills *ret, which was empty. */
void toc_begin(struct toc *t, const struct tar_item *item, const struct buf *raw,
	       struct toc_entry *ret);
/* Its content is over. pieces: NULL for one without; file: digest of all. */
struct toc_content {
	const struct toc_piece *pieces;
	size_t count;
	struct varve_digest file;
	uint64_t crc;
};
void toc_end(struct toc *t, struct toc_entry *entry, const struct toc_content *content);
/* The skippable frames: a head and then, but for the last, a body, which is the toc's. */
enum { TOC_FRAMES = 3 };
struct toc_end {
	struct buf heads[TOC_FRAMES];
	const struct buf *bodies[TOC_FRAMES]; /* NULL: none */
};
void toc_end_release(struct toc_end *e);
/* raw: what of the tar comes after the last content. offset: bytes of the blob so far. Fills *ret,
 * which was all zero, and returns 1; 0: something is unsaid, there is no table. */
int toc_finish(struct toc *t, const struct buf *raw, uint64_t offset, struct toc_end *ret,
	       struct varve_error *err);

#endif
