/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_toc.h"

struct frame {
	struct varve_digest digest; /* of the content */
	uint64_t offset, len; /* in the blob */
	uint64_t size; /* of the content */
};

struct layer_frames {
	int blob;
	struct frame *items; /* sorted by digest */
	size_t count, alloc;
};

struct layer_frames_reader {
	const struct layer_frames *frames;
	ZSTD_DCtx *dctx;
	unsigned char *content; /* CHUNKED_PIECE bytes */
};

/* --- reading the table -------------------------------------------------------------------------
 */

static int malformed(struct varve_error *err)
{
	return varve_error_set(err, -VARVE_E_FORMAT,
			       "the blob's table of contents is not well formed");
}

/* A number that may be left out, and then is 0. */
static bool get_number(const json_t *object, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);

	*ret = 0;
	if (!value)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

static bool get_frame(const json_t *entry, bool in_pieces, struct frame *ret)
{
	uint64_t end;

	if (!get_number(entry, "offset", &ret->offset) || !get_number(entry, "endOffset", &end) ||
	    !get_number(entry, in_pieces ? "chunkSize" : "size", &ret->size))
		return false;
	ret->len = end > ret->offset ? end - ret->offset : 0;
	return json_get_digest(entry, in_pieces ? "chunkDigest" : "digest", &ret->digest, NULL) ==
	       0;
}

/* Whether the entry is well; frames that cannot be ours are left out. */
static bool add_entry(struct layer_frames *f, const json_t *entry)
{
	const char *type = json_optional_string(entry, "type", "");
	bool is_piece = str_equal(type, "chunk");
	bool in_pieces = is_piece || json_object_get(entry, "chunkDigest");
	struct frame frame;

	if (!json_is_object(entry))
		return false;
	if (!is_piece && !(str_equal(type, "reg") && json_object_get(entry, "digest")))
		return true;
	if (!get_frame(entry, in_pieces, &frame))
		return false;
	/* The first of several pieces ends where the second begins. */
	if (is_piece && f->count > 0 && frame.offset > f->items[f->count - 1].offset)
		f->items[f->count - 1].len = frame.offset - f->items[f->count - 1].offset;
	f->items = array_grow(f->items, f->count, &f->alloc, sizeof(*f->items));
	f->items[f->count++] = frame;
	return true;
}

static int read_entries(struct layer_frames *f, const char *at, size_t left,
			struct varve_error *err)
{
	static const char start[] = "{\"version\":1,\"entries\":[";

	if (left < sizeof(start) || memcmp(at, start, sizeof(start) - 1) != 0)
		return malformed(err);
	at += sizeof(start) - 1;
	left -= sizeof(start) - 1;
	while (left > 0 && *at != ']') {
		CLEANUP(json_decrefp) json_t *entry = NULL;
		size_t used = 0;

		if (json_parse_first(at, left, &used, &entry) < 0 || !add_entry(f, entry))
			return malformed(err);
		at += used;
		left -= used;
		if (left > 0 && *at == ',') {
			at++;
			left--;
		} else if (left == 0 || *at != ']') {
			return malformed(err);
		}
	}
	return left > 0 ? 0 : malformed(err);
}

static int compare_frames(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;
	int r = varve_digest_compare(&x->digest, &y->digest);

	if (r != 0)
		return r;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int read_table(struct layer_frames *f, const struct layer_footer *footer,
		      struct varve_error *err)
{
	CLEANUP(buf_release) struct buf packed = BUF_INIT, text = BUF_INIT;
	size_t n;
	int r = layer_footer_contents(f->blob, footer, &packed, err);

	if (r < 0)
		return r;
	buf_reserve(&text, (size_t)footer->contents_size);
	n = ZSTD_decompress(text.data, (size_t)footer->contents_size, packed.data, packed.len);
	if (ZSTD_isError(n) || n != footer->contents_size)
		return malformed(err);
	buf_release(&packed);
	r = read_entries(f, text.data, n, err);
	if (r == 0 && f->count > 1)
		qsort(f->items, f->count, sizeof(*f->items), compare_frames);
	return r;
}

int layer_frames_new(int blob, struct layer_frames **ret, struct varve_error *err)
{
	CLEANUP(layer_frames_freep) struct layer_frames *f = xcalloc(1, sizeof(*f));
	struct layer_footer footer;
	int r = layer_footer_read(blob, &footer, err);

	if (r == 0)
		return malformed(err);
	f->blob = blob;
	if (r > 0)
		r = read_table(f, &footer, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&f);
	return 0;
}

int layer_frames_blob(const struct layer_frames *f)
{
	return f->blob;
}

size_t layer_frames_count(const struct layer_frames *f)
{
	return f->count;
}

void layer_frames_free(struct layer_frames *f)
{
	if (!f)
		return;
	free(f->items);
	free(f);
}

void layer_frames_freep(struct layer_frames **f)
{
	layer_frames_free(*f);
	*f = NULL;
}

/* --- using frames ------------------------------------------------------------------------------
 */

struct layer_frames_reader *layer_frames_reader_new(const struct layer_frames *f)
{
	struct layer_frames_reader *r = xcalloc(1, sizeof(*r));

	r->frames = f;
	r->dctx = ZSTD_createDCtx();
	r->content = xmalloc(CHUNKED_PIECE);
	return r;
}

void layer_frames_reader_free(struct layer_frames_reader *r)
{
	if (!r)
		return;
	(void)ZSTD_freeDCtx(r->dctx);
	free(r->content);
	free(r);
}

static const struct frame *find(const struct layer_frames *f, const struct varve_digest *digest)
{
	size_t low = 0, high = f->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (varve_digest_compare(&f->items[middle].digest, digest) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < f->count && varve_digest_equal(&f->items[low].digest, digest) ? &f->items[low]
										   : NULL;
}

/* One frame, and of this very content. */
static bool holds(struct layer_frames_reader *r, const void *frame, size_t frame_len,
		  const void *content, size_t len)
{
	size_t n;

	if (ZSTD_findFrameCompressedSize(frame, frame_len) != frame_len)
		return false;
	n = ZSTD_decompressDCtx(r->dctx, r->content, len, frame, frame_len);
	return !ZSTD_isError(n) && n == len && memcmp(r->content, content, len) == 0;
}

size_t layer_frames_take(struct layer_frames_reader *r, const struct varve_digest *digest,
			 const void *content, size_t len, struct buf *out)
{
	const struct frame *f = find(r->frames, digest);
	char *to;

	if (!f || !r->dctx || f->size != len || len > CHUNKED_PIECE ||
	    f->len > ZSTD_compressBound(len) + 32 || f->len == 0 || f->offset > INT64_MAX)
		return 0;
	buf_reserve(out, (size_t)f->len);
	to = out->data + out->len;
	if (pread(r->frames->blob, to, (size_t)f->len, (off_t)f->offset) != (ssize_t)f->len ||
	    !holds(r, to, (size_t)f->len, content, len))
		return 0;
	out->len += (size_t)f->len;
	return (size_t)f->len;
}
