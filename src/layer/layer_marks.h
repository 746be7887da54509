/* SPDX-License-Identifier: Apache-2.0
 * Marks: places in a layer of zstd:chunked from where a later layer with the same beginning goes
 * on. What lies before one is then neither read, hashed nor compressed, but copied.
 *
 * A mark is the end of a file's content. Whether a tree's tar has the same bytes up to there is
 * shown by the hash of all of it that is no content, and by that of the contents' digests: so it
 * takes the digests of files, which a caller can know without reading them, and no content.
 *
 *	layer n: layer_pack -> marks, kept beside its blob
 *	layer n + 1: layer_prove(tree, marks, digests) -> the last mark that holds -> layer_pack */
#ifndef LAYER_LAYER_MARKS_H
#define LAYER_LAYER_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/digest.h>
#include <varve/error.h>
#include "base/digest.h"

struct buf;
struct layer_vouch;
struct owners;
struct strv;

struct layer_mark {
	uint64_t tar_at, blob_at; /* bytes before it */
	uint64_t contents_at,
		split_at; /* bytes of the two texts of the blob's table (layer_toc.h) */
	uint64_t entries; /* of the tar */
	struct hasher_state between; /* of the tar before it without the contents */
	struct hasher_state files; /* of the contents' digests, empty ones left out */
	struct hasher_state tar, blob; /* of all before it */
};

struct layer_marks {
	struct layer_mark *items; /* in the order of the tar */
	size_t count, alloc;
};
void layer_marks_release(struct layer_marks *m); /* usable with CLEANUP */
void layer_marks_add(struct layer_marks *m, const struct layer_mark *mark);
/* Whether there is one behind a content of size bytes that begins at offset at of the tar: one for
 * each stretch of so many bytes. */
enum { LAYER_MARK_EVERY = 16 << 20 };
bool layer_mark_is_due(uint64_t at, uint64_t size);

/* As bytes, in this machine's order; false: they are not of this form. What they say is not
 * checked: they are to be kept where nobody else writes. */
void layer_marks_write(const struct layer_marks *m, struct buf *out);
bool layer_marks_parse(const void *data, size_t len, struct layer_marks *ret);

/* The last of another layer's marks that the tree's tar has, too; NULL: none. */
int layer_prove(int tree, const struct strv *implied, const struct owners *owners,
		const struct layer_marks *marks, const struct layer_vouch *vouch,
		const struct layer_mark **ret, struct varve_error *err);

#endif
