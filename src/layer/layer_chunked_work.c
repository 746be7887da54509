/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_chunked.h"

#include <stdlib.h>
#include <zstd.h>
#include "base/buf.h"
#include "base/crc64.h"
#include "base/digest.h"
#include "layer/layer_frames.h"

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

static void learn_digest(struct worker *w, const char *data, struct chunked_piece *p)
{
	if (p->is_known)
		return;
	hasher_update(w->hasher, data, p->len);
	hasher_final(w->hasher, &p->digest);
	p->is_known = true;
}

/* What the layer before has of this piece, if it has it. next: the piece behind it, or NULL. */
static size_t take_frame(struct worker *w, const char *data, const struct chunked_piece *p,
			 const struct chunked_piece *next, struct buf *out)
{
	if (!w->reader)
		return 0;
	if (p->is_content)
		return layer_frames_take(w->reader, &p->digest, data, p->len, out);
	return next ? layer_frames_take_before(w->reader, &next->digest, data, p->len, out) : 0;
}

static bool compress_piece(struct worker *w, const char *data, struct chunked_piece *p,
			   struct buf *out)
{
	size_t room = ZSTD_compressBound(p->len) + 32, n;

	buf_reserve(out, room);
	n = ZSTD_compress2(w->cctx, out->data + out->len, room, data, p->len);
	if (ZSTD_isError(n))
		return false;
	p->packed = n;
	out->len += n;
	return true;
}

/* next: as for take_frame, its data comes right behind. */
static bool work_on_piece(struct worker *w, const char *data, struct chunked_piece *p,
			  struct chunked_piece *next, struct buf *out)
{
	if (p->is_content) {
		learn_digest(w, data, p);
		p->crc = crc64(0, data, p->len);
	} else if (next && next->is_content) {
		learn_digest(w, data + p->len, next);
	} else {
		next = NULL;
	}
	p->packed = take_frame(w, data, p, next, out);
	return p->packed > 0 || compress_piece(w, data, p, out);
}

static bool work(void *worker, struct layer_job *which)
{
	struct chunked_job *job = (struct chunked_job *)which;
	size_t at = 0;

	for (size_t i = 0; i < job->piece_count; i++) {
		struct chunked_piece *p = &job->pieces[i];
		struct chunked_piece *next = i + 1 < job->piece_count ? p + 1 : NULL;

		if (!work_on_piece(worker, job->in.data + at, p, next, &job->out))
			return false;
		at += p->len;
	}
	return true;
}

const struct layer_jobs_kind chunked_work = {begin_worker, work, end_worker};
