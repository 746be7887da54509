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
#include "layer/layer_toc_read.h"

enum { WINDOW = 256 << 10 }; /* bytes read at a time */

struct frame {
	struct varve_digest digest; /* of the content */
	uint64_t offset, len; /* in the blob */
	uint64_t size; /* of the content */
};

/* A file in several pieces. */
struct file {
	struct varve_digest digest; /* of all of it */
	size_t first, count; /* of the frames */
};

struct layer_frames {
	int blob;
	bool is_trusted;
	struct frame *items; /* in the order of the table */
	size_t count, alloc;
	const struct frame **sorted; /* by digest */
	struct file *files; /* sorted by digest */
	size_t file_count, file_alloc;
};

struct layer_frames_reader {
	const struct layer_frames *frames;
	ZSTD_DCtx *dctx;
	unsigned char *content; /* CHUNKED_PIECE bytes */
	struct buf window; /* bytes of the blob: frames are asked for in its order */
	uint64_t window_at;
};

/* --- reading the table -------------------------------------------------------------------------
 */

static int malformed(struct varve_error *err)
{
	return varve_error_set(err, -VARVE_E_FORMAT,
			       "the blob's table of contents is not well formed");
}

static void add_frame(struct layer_frames *f, const struct frame *frame)
{
	f->items = array_grow(f->items, f->count, &f->alloc, sizeof(*f->items));
	f->items[f->count++] = *frame;
}

static void add_file(struct layer_frames *f, const struct varve_digest *digest)
{
	f->files = array_grow(f->files, f->file_count, &f->file_alloc, sizeof(*f->files));
	f->files[f->file_count++] = (struct file){*digest, f->count, 0};
}

/* Whether the entry is well; frames that cannot be ours are left out. */
static bool add_row(struct layer_frames *f, const struct toc_row *row)
{
	bool is_piece = row->type == TOC_ROW_CHUNK, has_chunk = row->has & 1U << TOC_CHUNK_DIGEST;
	struct frame frame = {.offset = row->offset};

	if (!is_piece && !(row->type == TOC_ROW_FILE && row->has & 1U << TOC_DIGEST))
		return true;
	if (is_piece && !has_chunk)
		return false;
	frame.digest = has_chunk ? row->chunk_digest : row->digest;
	frame.size = has_chunk ? row->chunk_size : row->size;
	frame.len = row->end_offset > row->offset ? row->end_offset - row->offset : 0;
	/* The first of several pieces ends where the second begins. */
	if (is_piece && f->count > 0 && frame.offset > f->items[f->count - 1].offset)
		f->items[f->count - 1].len = frame.offset - f->items[f->count - 1].offset;
	if (has_chunk && !is_piece)
		add_file(f, &row->digest);
	if (has_chunk && f->file_count > 0)
		f->files[f->file_count - 1].count++;
	add_frame(f, &frame);
	return true;
}

static int read_entries(struct layer_frames *f, const char *at, const char *end,
			struct varve_error *err)
{
	struct toc_row row;
	int r;

	if (!toc_read_start(&at, end))
		return malformed(err);
	while ((r = toc_read_row(&at, end, &row)) > 0)
		if (!add_row(f, &row))
			return malformed(err);
	return r < 0 ? malformed(err) : 0;
}

static int compare_frames(const void *a, const void *b)
{
	const struct frame *const *x = a, *const *y = b;
	int r = varve_digest_compare(&(*x)->digest, &(*y)->digest);

	if (r != 0)
		return r;
	return (*x)->offset < (*y)->offset ? -1 : (*x)->offset > (*y)->offset;
}

static int compare_files(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return varve_digest_compare(&x->digest, &y->digest);
}

static void sort(struct layer_frames *f)
{
	f->sorted = xcalloc(f->count + 1, sizeof(struct frame *));
	for (size_t i = 0; i < f->count; i++)
		f->sorted[i] = &f->items[i];
	if (f->count > 1)
		qsort(f->sorted, f->count, sizeof(struct frame *), compare_frames);
	if (f->file_count > 1)
		qsort(f->files, f->file_count, sizeof(*f->files), compare_files);
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
	r = read_entries(f, text.data, text.data + n, err);
	if (r == 0)
		sort(f);
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
	free(f->sorted);
	free(f->files);
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
	buf_release(&r->window);
	free(r);
}

static int compare_key(const void *key, const void *item)
{
	const struct frame *const *frame = item;

	return varve_digest_compare(key, &(*frame)->digest);
}

static const struct frame *find(const struct layer_frames *f, const struct varve_digest *digest)
{
	const struct frame *const *found =
		bsearch(digest, f->sorted, f->count, sizeof(struct frame *), compare_key);

	/* The first of those with this digest: no byte depends on how a search goes. */
	while (found && found > f->sorted && compare_key(digest, found - 1) == 0)
		found--;
	return found ? *found : NULL;
}

void layer_frames_trust(struct layer_frames *f)
{
	f->is_trusted = true;
}

bool layer_frames_piece(const struct layer_frames *f, const struct varve_digest *whole,
			size_t number, size_t len, struct varve_digest *ret)
{
	const struct file key = {.digest = *whole}, *file = NULL;

	if (f->is_trusted && f->file_count > 0)
		file = bsearch(&key, f->files, f->file_count, sizeof(key), compare_files);
	if (!file || number >= file->count || f->items[file->first + number].size != len)
		return false;
	*ret = f->items[file->first + number].digest;
	return true;
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

static bool lies_in_window(const struct layer_frames_reader *r, const struct frame *f)
{
	uint64_t skip = f->offset - r->window_at;

	return f->offset >= r->window_at && skip <= r->window.len && f->len <= r->window.len - skip;
}

/* Bytes of the blob, until the next call; NULL: they cannot be read. */
static const char *read_frame(struct layer_frames_reader *r, const struct frame *f)
{
	if (!lies_in_window(r, f)) {
		size_t len = f->len < WINDOW ? WINDOW : (size_t)f->len;
		ssize_t n;

		buf_reset(&r->window);
		buf_reserve(&r->window, len);
		n = pread(r->frames->blob, r->window.data, len, (off_t)f->offset);
		r->window.len = n > 0 ? (size_t)n : 0;
		r->window_at = f->offset;
	}
	return lies_in_window(r, f) ? r->window.data + (f->offset - r->window_at) : NULL;
}

static size_t take(struct layer_frames_reader *r, const struct frame *f, const void *content,
		   size_t len, struct buf *out)
{
	const char *frame;

	if (!r->dctx || len > CHUNKED_PIECE || f->len > ZSTD_compressBound(len) + 32 ||
	    f->len == 0 || f->offset > INT64_MAX)
		return 0;
	frame = read_frame(r, f);
	if (!frame || !holds(r, frame, (size_t)f->len, content, len))
		return 0;
	buf_add(out, frame, (size_t)f->len);
	return (size_t)f->len;
}

size_t layer_frames_take(struct layer_frames_reader *r, const struct varve_digest *digest,
			 const void *content, size_t len, struct buf *out)
{
	const struct frame *f = find(r->frames, digest);

	return f && f->size == len ? take(r, f, content, len, out) : 0;
}

size_t layer_frames_take_before(struct layer_frames_reader *r, const struct varve_digest *digest,
				const void *between, size_t len, struct buf *out)
{
	const struct frame *f = find(r->frames, digest);
	struct frame before = {.offset = 0};

	if (!f)
		return 0;
	if (f > r->frames->items)
		before.offset = (f - 1)->offset + (f - 1)->len;
	before.len = f->offset > before.offset ? f->offset - before.offset : 0;
	return take(r, &before, between, len, out);
}
