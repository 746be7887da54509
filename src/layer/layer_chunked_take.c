/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_chunked.h"

#include "base/buf.h"
#include "base/crc64.h"
#include "base/digest.h"

static void swap_entries(struct toc_entry *a, struct toc_entry *b)
{
	struct toc_entry kept = *a;

	*a = *b;
	*b = kept;
}

static void take_entry(struct chunked *c, struct chunked_entry *e)
{
	static const struct toc_content nothing;

	if (e->has_content)
		swap_entries(&c->open, &e->text);
	else
		toc_end(&c->toc, &e->text, &nothing);
}

static void end_file(struct chunked *c, const struct chunked_piece *last)
{
	struct toc_content content = {
		.pieces = c->parts,
		.count = c->part_count,
		.file = c->part_count == 1 ? last->digest : last->file,
		.crc = c->crc,
	};

	toc_end(&c->toc, &c->open, &content);
	if (c->marking.marks)
		hasher_update(c->files, content.file.bytes, VARVE_DIGEST_SIZE);
	c->part_count = 0;
	c->crc = c->at = 0;
}

static void take_piece(struct chunked *c, const struct chunked_piece *p)
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

/* What was written ends at a mark; its bytes are not on their way yet. */
static void take_mark(struct chunked *c, struct layer_mark *mark)
{
	mark->blob_at = c->written;
	mark->contents_at = toc_text_size(&c->toc.contents);
	mark->split_at = toc_text_size(&c->toc.split);
	hasher_save(c->files, &mark->files);
	layer_marks_add(c->marking.marks, mark);
	sink_marks_want(c->marking.blob, c->written);
}

int chunked_retire(struct chunked *c, struct varve_error *err)
{
	struct chunked_job *job = (struct chunked_job *)layer_jobs_current(&c->jobs);
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
	if (job->has_mark)
		take_mark(c, &job->mark);
	r = layer_compressor_emit(&c->base, job->out.data, job->out.len, err);
	buf_reset(&job->in);
	buf_reset(&job->out);
	job->piece_count = job->entry_count = 0;
	job->has_mark = false;
	return r;
}
