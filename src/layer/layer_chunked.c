/* SPDX-License-Identifier: Apache-2.0
 * zstd:chunked (format: layer_toc.h). The tar is read as it passes, and cut into frames: each
 * file's content, in pieces where it is large, and what lies between. Frames know nothing of each
 * other, so that any thread compresses any of them and no byte depends on which. A job is a stretch
 * of the tar with its cuts; where jobs are cut depends on the tar alone.
 *
 * A tar that is not as layer_tar.h writes it becomes frames without a table: plain zstd. */
#include "layer/layer_chunked.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "layer/layer_frames.h"
#include "layer/layer_tar_read.h"

enum {
	JOB_SIZE = 1 << 20, /* a job is handed over at the first cut from here on */
	EXTENDED_MAX = 4 << 20,
};

static struct chunked_job *current(const struct chunked *c)
{
	return (struct chunked_job *)layer_jobs_current(&c->jobs);
}

static int submit(struct chunked *c, struct varve_error *err)
{
	layer_jobs_submit(&c->jobs);
	return chunked_retire(c, err);
}

/* Ends the frame that is being filled, if there is anything in it. */
static int cut(struct chunked *c, struct varve_error *err)
{
	struct chunked_job *job = current(c);

	if (c->piece.len == 0)
		return 0;
	job->pieces =
		array_grow(job->pieces, job->piece_count, &job->piece_alloc, sizeof(*job->pieces));
	job->pieces[job->piece_count++] = c->piece;
	c->piece = (struct chunked_piece){0};
	return job->in.len >= JOB_SIZE || job->has_mark ? submit(c, err) : 0;
}

/* What is known of the piece that was filled. */
static void end_piece(struct chunked *c)
{
	struct chunked_piece *p = &c->piece;

	if (c->is_known && c->file_size <= CHUNKED_PIECE) {
		p->digest = c->known_file;
		p->is_known = true;
	} else if (c->is_known && c->known) {
		p->is_known =
			layer_frames_piece(c->known, &c->known_file, c->number, p->len, &p->digest);
	}
	c->number++;
}

static int add(struct chunked *c, const void *data, size_t len, struct varve_error *err)
{
	buf_add(&current(c)->in, data, len);
	c->piece.len += len;
	if (c->piece.len < CHUNKED_PIECE)
		return 0;
	if (c->piece.is_content)
		end_piece(c);
	return cut(c, err);
}

/* No table: what comes is cut by length alone. */
static void give_up(struct chunked *c)
{
	c->toc.unsaid = true;
	c->state = CHUNKED_REST;
}

static struct chunked_entry *new_entry(struct chunked_job *job)
{
	struct chunked_entry *e;

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
	struct chunked_entry *e = new_entry(current(c));

	toc_begin(&c->toc, item, &c->raw, &e->text);
	e->has_content = item->size > 0;
	buf_reset(&c->raw);
	c->state = CHUNKED_HEADERS;
	c->need = TAR_BLOCK;
	if (!e->has_content)
		return 0;
	c->state = CHUNKED_CONTENT;
	c->need = c->file_size = item->size;
	c->number = 0;
	c->is_known = c->marking.vouched &&
		      layer_vouched_ask(c->marking.vouched, c->toc.entries, &c->known_file);
	c->will_mark = c->marking.marks && layer_mark_is_due(c->tar_at, item->size);
	if (c->will_mark)
		sink_marks_want(c->marking.tar, c->tar_at + item->size);
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
		c->state = CHUNKED_REST;
	} else if (tar_block_is_extended(block, &c->extended) && c->extended > 0 &&
		   c->extended <= EXTENDED_MAX) {
		c->state = CHUNKED_EXTENDED;
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

	c->state = CHUNKED_HEADERS;
	c->need = TAR_BLOCK;
	if (tar_pax_parse(&c->pax, c->raw.data + c->raw.len - len, (size_t)c->extended, NULL) < 0)
		give_up(c);
}

/* Bytes of a header, or of the padding before it, or behind the last entry. */
static int take_raw(struct chunked *c, const void *data, size_t len, struct varve_error *err)
{
	int r;

	if (c->state != CHUNKED_REST || !c->toc.unsaid)
		buf_add(&c->raw, data, len);
	if (c->marking.marks && c->state != CHUNKED_REST)
		hasher_update(c->between, data, len);
	c->tar_at += len;
	r = add(c, data, len, err);
	if (c->state == CHUNKED_REST || r < 0)
		return r;
	c->need -= len;
	if (c->need > 0)
		return 0;
	if (c->state == CHUNKED_HEADERS)
		return end_header(c, err);
	end_extended(c);
	return 0;
}

static void set_mark(struct chunked *c)
{
	struct chunked_job *job = current(c);

	job->has_mark = true;
	job->mark = (struct layer_mark){.tar_at = c->tar_at, .entries = c->toc.entries};
	hasher_save(c->between, &job->mark.between);
}

static void end_large(struct chunked *c)
{
	if (c->is_known)
		c->piece.file = c->known_file;
	else
		hasher_final(c->file, &c->piece.file);
}

static int end_content(struct chunked *c, struct varve_error *err)
{
	if (c->will_mark)
		set_mark(c);
	c->will_mark = false;
	c->piece.is_last = true;
	if (c->file_size > CHUNKED_PIECE)
		end_large(c);
	end_piece(c);
	c->state = CHUNKED_HEADERS;
	c->need = tar_padding(c->file_size) + TAR_BLOCK;
	return cut(c, err);
}

static int take_content(struct chunked *c, const void *data, size_t len, struct varve_error *err)
{
	if (c->file_size > CHUNKED_PIECE && !c->is_known)
		hasher_update(c->file, data, len);
	c->piece.is_content = true;
	c->tar_at += len;
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

	if (c->state != CHUNKED_REST && c->need < room)
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

		r = c->state == CHUNKED_CONTENT ? take_content(c, from, n, err)
						: take_raw(c, from, n, err);
		from += n;
		len -= n;
	}
	return r;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void job_release(struct chunked_job *job)
{
	for (size_t i = 0; i < job->entries_made; i++)
		toc_entry_release(&job->entries[i].text);
	free(job->entries);
	free(job->pieces);
	buf_release(&job->in);
	buf_release(&job->out);
}

/* Ends the threads; what they worked in is not needed beside the table, which is large, too. */
static void end_work(struct chunked *c)
{
	layer_jobs_stop(&c->jobs);
	for (size_t i = 0; i < c->ring_size; i++)
		job_release(&c->ring[i]);
	free(c->ring);
	c->ring = NULL;
	c->ring_size = 0;
}

static int emit(struct chunked *c, const struct buf *bytes, struct varve_error *err)
{
	return layer_compressor_emit(&c->base, buf_text(bytes), bytes->len, err);
}

static int finish(struct chunked *c, struct varve_error *err)
{
	CLEANUP(toc_end_release) struct toc_end end = {.bodies = {NULL}};
	int r = cut(c, err);

	if (c->state == CHUNKED_CONTENT)
		c->toc.unsaid = true; /* the tar ends too early: its producer failed */
	if (r == 0)
		r = submit(c, err);
	for (size_t i = 1; r == 0 && i < c->ring_size; i++) {
		(void)layer_jobs_next(&c->jobs);
		r = chunked_retire(c, err);
	}
	end_work(c);
	if (c->marking.marks && c->toc.unsaid)
		c->marking.marks->count = 0;
	if (r == 0)
		r = toc_finish(&c->toc, &c->raw, c->written, &end, err);
	for (size_t i = 0; i < TOC_FRAMES && r >= 0; i++) {
		r = emit(c, &end.heads[i], err);
		if (r == 0 && end.bodies[i])
			r = emit(c, end.bodies[i], err);
	}
	return r;
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

static void chunked_free(struct layer_compressor *base)
{
	struct chunked *c = (struct chunked *)base;

	end_work(c);
	buf_release(&c->raw);
	buf_release(&c->names[0]);
	buf_release(&c->names[1]);
	tar_pax_release(&c->pax);
	hasher_free(c->file);
	hasher_free(c->between);
	hasher_free(c->files);
	toc_release(&c->toc);
	toc_entry_release(&c->open);
	free(c->parts);
	free(c);
}

static int start_workers(struct chunked *c, unsigned threads, struct varve_error *err)
{
	CLEANUP(free_ptr) struct layer_job **jobs = NULL;

	c->ring_size = layer_jobs_size(threads);
	c->ring = xcalloc(c->ring_size, sizeof(*c->ring));
	jobs = xcalloc(c->ring_size, sizeof(struct layer_job *));
	for (size_t i = 0; i < c->ring_size; i++) {
		buf_reserve(&c->ring[i].in, JOB_SIZE + CHUNKED_PIECE);
		jobs[i] = &c->ring[i].base;
	}
	return layer_jobs_start(&c->jobs, &chunked_work, c, jobs, threads, err);
}

int layer_chunked_new(const struct layer_compression *how, unsigned threads, struct sink *next,
		      struct layer_compressor **ret, struct varve_error *err)
{
	static const struct sink_ops ops = {chunked_write, chunked_close, NULL};
	struct chunked *c = xcalloc(1, sizeof(*c));
	int r;

	c->base = (struct layer_compressor){
		.sink = {.ops = &ops}, .next = next, .free = chunked_free};
	c->level = how->level;
	c->known = how->known;
	c->state = CHUNKED_HEADERS;
	c->need = TAR_BLOCK;
	c->file = hasher_new();
	c->between = hasher_new();
	c->files = hasher_new();
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

/* --- beginning in the middle -------------------------------------------------------------------
 */

static int resume(struct chunked *c, const struct layer_mark *from, struct varve_error *err)
{
	int r = toc_resume(&c->toc, layer_frames_blob(c->known), from);

	if (r < 0) { /* it may hold a part */
		toc_release(&c->toc);
		return toc_init(&c->toc, err);
	}
	c->tar_at = from->tar_at;
	c->written = from->blob_at;
	c->need = tar_padding(from->tar_at) + TAR_BLOCK;
	hasher_load(c->between, &from->between);
	hasher_load(c->files, &from->files);
	return 1;
}

int layer_chunked_begin(struct sink *compressor, const struct layer_marking *marking,
			struct varve_error *err)
{
	struct chunked *c = (struct chunked *)compressor;

	c->marking = *marking;
	c->marking.from = NULL;
	return marking->from ? resume(c, marking->from, err) : 1;
}
