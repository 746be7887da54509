/* SPDX-License-Identifier: Apache-2.0
 * zstd:chunked (format: layer_toc.h). The tar is read as it passes, and cut into frames: each
 * file's content, in pieces where it is large, and what lies between. Frames know nothing of each
 * other, so that any thread compresses any of them and no byte depends on which. A job is a stretch
 * of the tar with its cuts; where jobs are cut depends on the tar alone.
 *
 * A tar that is not as layer_tar.h writes it becomes frames without a table: plain zstd. */
#include "layer/layer_compress.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crc64.h"
#include "base/digest.h"
#include "layer/layer_frames.h"
#include "layer/layer_jobs.h"
#include "layer/layer_tar_pax.h"
#include "layer/layer_tar_read.h"
#include "layer/layer_toc.h"

enum {
	JOB_SIZE = 1 << 20, /* a job is handed over at the first cut from here on */
	EXTENDED_MAX = 4 << 20,
};

/* A frame of the blob. */
struct piece {
	size_t len; /* bytes of the tar */
	bool is_content, is_last; /* of a file */
	struct varve_digest file; /* valid at the last of several */
	/* What the worker found: */
	size_t packed;
	struct varve_digest digest;
	uint64_t crc;
};

struct entry {
	struct toc_entry text;
	size_t before; /* the piece that its header lies in */
	bool has_content;
};

struct job {
	struct layer_job base;
	struct buf in, out;
	struct piece *pieces;
	size_t piece_count, piece_alloc;
	struct entry *entries;
	size_t entry_count, entry_alloc, entries_made; /* made: have memory to use again */
};

enum state { HEADER, EXTENDED, CONTENT, REST };

struct chunked {
	struct layer_compressor base;
	int level;
	const struct layer_frames *known;
	struct layer_jobs jobs;
	struct job *ring;
	size_t ring_size;
	/* The tar so far: */
	enum state state;
	uint64_t need; /* bytes to come in this state */
	uint64_t extended; /* bytes of the records, without padding */
	struct buf raw; /* since the last content */
	struct tar_pax pax;
	struct buf names[2];
	struct piece piece; /* being filled, at the end of the current job */
	uint64_t file_size;
	struct hasher *file; /* of a file of several pieces */
	/* What was taken out: */
	struct toc toc;
	uint64_t written;
	struct toc_entry open; /* the file whose pieces come */
	struct toc_piece *parts;
	size_t part_count, part_alloc;
	uint64_t crc, at;
};

/* --- workers -----------------------------------------------------------------------------------
 */

struct worker {
	const struct chunked *chunked;
	ZSTD_CCtx *cctx;
	struct hasher *hasher;
	struct layer_frames_reader *reader;
};

static void end_worker(void *cookie)
{
	struct worker *w = cookie;

	if (!w)
		return;
	(void)ZSTD_freeCCtx(w->cctx);
	hasher_free(w->hasher);
	layer_frames_reader_free(w->reader);
	free(w);
}

static void *begin_worker(void *cookie)
{
	const struct chunked *c = cookie;
	struct worker *w = xcalloc(1, sizeof(*w));

	w->chunked = c;
	w->cctx = ZSTD_createCCtx();
	w->hasher = hasher_new();
	w->reader = c->known ? layer_frames_reader_new(c->known) : NULL;
	if (w->cctx &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(w->cctx, ZSTD_c_compressionLevel, c->level)) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(w->cctx, ZSTD_c_checksumFlag, 1)))
		return w;
	end_worker(w);
	return NULL;
}

static bool compress_piece(struct worker *w, const char *data, struct piece *p, struct buf *out)
{
	size_t room = ZSTD_compressBound(p->len) + 32, n;

	buf_reserve(out, room);
	if (p->is_content) {
		hasher_update(w->hasher, data, p->len);
		hasher_final(w->hasher, &p->digest);
		p->crc = crc64(0, data, p->len);
		p->packed =
			w->reader ? layer_frames_take(w->reader, &p->digest, data, p->len, out) : 0;
		if (p->packed > 0)
			return true;
	}
	n = ZSTD_compress2(w->cctx, out->data + out->len, room, data, p->len);
	if (ZSTD_isError(n))
		return false;
	p->packed = n;
	out->len += n;
	return true;
}

static bool work(void *worker, struct layer_job *which)
{
	struct job *job = (struct job *)which;
	size_t at = 0;

	for (size_t i = 0; i < job->piece_count; i++) {
		struct piece *p = &job->pieces[i];

		if (!compress_piece(worker, job->in.data + at, p, &job->out))
			return false;
		at += p->len;
	}
	return true;
}

/* --- taking out --------------------------------------------------------------------------------
 */

static void swap_entries(struct toc_entry *a, struct toc_entry *b)
{
	struct toc_entry kept = *a;

	*a = *b;
	*b = kept;
}

static void take_entry(struct chunked *c, struct entry *e)
{
	static const struct toc_content nothing;

	if (e->has_content)
		swap_entries(&c->open, &e->text);
	else
		toc_end(&c->toc, &e->text, &nothing);
}

static void end_file(struct chunked *c, const struct piece *last)
{
	struct toc_content content = {
		.pieces = c->parts,
		.count = c->part_count,
		.file = c->part_count == 1 ? last->digest : last->file,
		.crc = c->crc,
	};

	toc_end(&c->toc, &c->open, &content);
	c->part_count = 0;
	c->crc = c->at = 0;
}

static void take_piece(struct chunked *c, const struct piece *p)
{
	if (p->is_content) {
		c->parts = array_grow(c->parts, c->part_count, &c->part_alloc, sizeof(*c->parts));
		c->parts[c->part_count++] = (struct toc_piece){
			.digest = p->digest,
			.offset = c->written,
			.end = c->written + p->packed,
			.at = c->at,
			.size = p->len,
		};
		c->crc = c->at > 0 ? crc64_combine(c->crc, p->crc, p->len) : p->crc;
		c->at += p->len;
	}
	c->written += p->packed;
	if (p->is_last)
		end_file(c, p);
}

/* Writes out what is in the current job, so that it can be filled again. */
static int retire(struct chunked *c, struct varve_error *err)
{
	struct job *job = (struct job *)layer_jobs_current(&c->jobs);
	size_t entry = 0;
	int r = layer_jobs_wait(&c->jobs);

	if (r < 0)
		return varve_error_set(err, r, "zstd: compression failed");
	if (r == 0)
		return 0;
	for (size_t i = 0; i <= job->piece_count; i++) {
		while (entry < job->entry_count && job->entries[entry].before <= i)
			take_entry(c, &job->entries[entry++]);
		if (i < job->piece_count)
			take_piece(c, &job->pieces[i]);
	}
	r = layer_compressor_emit(&c->base, job->out.data, job->out.len, err);
	buf_reset(&job->in);
	buf_reset(&job->out);
	job->piece_count = job->entry_count = 0;
	return r;
}

/* --- cutting -----------------------------------------------------------------------------------
 */

static struct job *current(const struct chunked *c)
{
	return (struct job *)layer_jobs_current(&c->jobs);
}

static int submit(struct chunked *c, struct varve_error *err)
{
	layer_jobs_submit(&c->jobs);
	return retire(c, err);
}

/* Ends the frame that is being filled, if there is anything in it. */
static int cut(struct chunked *c, struct varve_error *err)
{
	struct job *job = current(c);

	if (c->piece.len == 0)
		return 0;
	job->pieces =
		array_grow(job->pieces, job->piece_count, &job->piece_alloc, sizeof(*job->pieces));
	job->pieces[job->piece_count++] = c->piece;
	c->piece = (struct piece){0};
	return job->in.len >= JOB_SIZE ? submit(c, err) : 0;
}

static int add(struct chunked *c, const void *data, size_t len, struct varve_error *err)
{
	buf_add(&current(c)->in, data, len);
	c->piece.len += len;
	return c->piece.len == CHUNKED_PIECE ? cut(c, err) : 0;
}

/* No table: what comes is cut by length alone. */
static void give_up(struct chunked *c)
{
	c->toc.unsaid = true;
	c->state = REST;
}

static struct entry *new_entry(struct job *job)
{
	struct entry *e;

	job->entries = array_grow(job->entries, job->entry_count, &job->entry_alloc,
				  sizeof(*job->entries));
	e = &job->entries[job->entry_count++];
	if (job->entry_count > job->entries_made)
		job->entries_made = job->entry_count;
	e->before = job->piece_count;
	return e;
}

/* The header is in the frame being filled. */
static int begin_entry(struct chunked *c, const struct tar_item *item, struct varve_error *err)
{
	struct entry *e = new_entry(current(c));

	toc_begin(&c->toc, item, &c->raw, &e->text);
	e->has_content = item->size > 0;
	buf_reset(&c->raw);
	c->state = HEADER;
	c->need = TAR_BLOCK;
	if (!e->has_content)
		return 0;
	c->state = CONTENT;
	c->need = c->file_size = item->size;
	return cut(c, err);
}

static bool is_zero(const unsigned char *block)
{
	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

static int end_header(struct chunked *c, struct varve_error *err)
{
	const unsigned char *block = (const unsigned char *)c->raw.data + c->raw.len - TAR_BLOCK;
	struct tar_item item;
	int r = 0;

	if (is_zero(block)) {
		c->state = REST;
	} else if (tar_block_is_extended(block, &c->extended) && c->extended > 0 &&
		   c->extended <= EXTENDED_MAX) {
		c->state = EXTENDED;
		c->need = c->extended + tar_padding(c->extended);
	} else if (tar_item_parse(block, &c->pax, c->names, &item, NULL) < 0) {
		give_up(c);
	} else {
		r = begin_entry(c, &item, err);
		tar_pax_release(&c->pax);
	}
	return r;
}

static void end_extended(struct chunked *c)
{
	size_t len = (size_t)(c->extended + tar_padding(c->extended));

	c->state = HEADER;
	c->need = TAR_BLOCK;
	if (tar_pax_parse(&c->pax, c->raw.data + c->raw.len - len, (size_t)c->extended, NULL) < 0)
		give_up(c);
}

/* Bytes of a header, or of the padding before it, or behind the last entry. */
static int take_raw(struct chunked *c, const void *data, size_t len, struct varve_error *err)
{
	int r;

	if (c->state != REST || !c->toc.unsaid)
		buf_add(&c->raw, data, len);
	r = add(c, data, len, err);
	if (c->state == REST || r < 0)
		return r;
	c->need -= len;
	if (c->need > 0)
		return 0;
	if (c->state == HEADER)
		return end_header(c, err);
	end_extended(c);
	return 0;
}

static int end_content(struct chunked *c, struct varve_error *err)
{
	c->piece.is_last = true;
	if (c->file_size > CHUNKED_PIECE)
		hasher_final(c->file, &c->piece.file);
	c->state = HEADER;
	c->need = tar_padding(c->file_size) + TAR_BLOCK;
	return cut(c, err);
}

static int take_content(struct chunked *c, const void *data, size_t len, struct varve_error *err)
{
	if (c->file_size > CHUNKED_PIECE)
		hasher_update(c->file, data, len);
	c->piece.is_content = true;
	c->need -= len;
	if (c->need > 0)
		return add(c, data, len, err);
	buf_add(&current(c)->in, data, len);
	c->piece.len += len;
	return end_content(c, err);
}

/* No more than belongs together, and fits into the frame being filled. */
static size_t how_much(const struct chunked *c, size_t len)
{
	size_t room = CHUNKED_PIECE - c->piece.len;

	if (c->state != REST && c->need < room)
		room = (size_t)c->need;
	return len < room ? len : room;
}

static int chunked_write(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	struct chunked *c = (struct chunked *)sink;
	const unsigned char *from = data;
	int r = 0;

	while (len > 0 && r == 0) {
		size_t n = how_much(c, len);

		r = c->state == CONTENT ? take_content(c, from, n, err) : take_raw(c, from, n, err);
		from += n;
		len -= n;
	}
	return r;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static int finish(struct chunked *c, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf frames = BUF_INIT;
	int r = cut(c, err);

	if (c->state == CONTENT)
		c->toc.unsaid = true; /* the tar ends too early: its producer failed */
	if (r == 0)
		r = submit(c, err);
	for (size_t i = 1; r == 0 && i < c->ring_size; i++) {
		(void)layer_jobs_next(&c->jobs);
		r = retire(c, err);
	}
	if (r == 0)
		r = toc_finish(&c->toc, &c->raw, c->written, &frames, err);
	return r < 0 ? r : layer_compressor_emit(&c->base, buf_text(&frames), frames.len, err);
}

static int chunked_close(struct sink *sink, struct varve_error *err)
{
	struct chunked *c = (struct chunked *)sink;
	int r = sink->error;

	if (r == 0)
		r = finish(c, err);
	layer_jobs_stop(&c->jobs);
	return layer_compressor_end(&c->base, r, err);
}

static void job_release(struct job *job)
{
	for (size_t i = 0; i < job->entries_made; i++)
		toc_entry_release(&job->entries[i].text);
	free(job->entries);
	free(job->pieces);
	buf_release(&job->in);
	buf_release(&job->out);
}

static void chunked_free(struct layer_compressor *base)
{
	struct chunked *c = (struct chunked *)base;

	layer_jobs_stop(&c->jobs);
	for (size_t i = 0; i < c->ring_size; i++)
		job_release(&c->ring[i]);
	free(c->ring);
	buf_release(&c->raw);
	buf_release(&c->names[0]);
	buf_release(&c->names[1]);
	tar_pax_release(&c->pax);
	hasher_free(c->file);
	toc_release(&c->toc);
	toc_entry_release(&c->open);
	free(c->parts);
	free(c);
}

static int start_workers(struct chunked *c, unsigned threads, struct varve_error *err)
{
	static const struct layer_jobs_kind kind = {begin_worker, work, end_worker};
	CLEANUP(free_ptr) struct layer_job **jobs = NULL;

	c->ring_size = layer_jobs_size(threads);
	c->ring = xcalloc(c->ring_size, sizeof(*c->ring));
	jobs = xcalloc(c->ring_size, sizeof(struct layer_job *));
	for (size_t i = 0; i < c->ring_size; i++) {
		buf_reserve(&c->ring[i].in, JOB_SIZE + CHUNKED_PIECE);
		jobs[i] = &c->ring[i].base;
	}
	return layer_jobs_start(&c->jobs, &kind, c, jobs, threads, err);
}

int layer_chunked_new(const struct layer_compression *how, unsigned threads, struct sink *next,
		      struct layer_compressor **ret, struct varve_error *err)
{
	static const struct sink_ops ops = {chunked_write, chunked_close};
	struct chunked *c = xcalloc(1, sizeof(*c));
	int r;

	c->base = (struct layer_compressor){
		.sink = {.ops = &ops}, .next = next, .free = chunked_free};
	c->level = how->level;
	c->known = how->known;
	c->state = HEADER;
	c->need = TAR_BLOCK;
	c->file = hasher_new();
	r = toc_init(&c->toc, err);
	if (r == 0)
		r = start_workers(c, threads, err);
	if (r < 0) {
		chunked_free(&c->base);
		return r;
	}
	*ret = &c->base;
	return 0;
}
