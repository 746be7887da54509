/* SPDX-License-Identifier: Apache-2.0
 * A table that goes on where another was: its texts so far are those of the other. */
#include "layer/layer_toc.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>
#include "base/cleanup.h"
#include "layer/layer_frames.h"
#include "layer/layer_marks.h"

enum { READ_SIZE = 128 << 10, ROOM = 256 << 10 };

/* A compressed text of a blob. */
struct reading {
	int blob;
	uint64_t at, left; /* of the compressed bytes */
	ZSTD_DCtx *dctx;
	unsigned char *in, *out;
	ZSTD_inBuffer input;
};

static void reading_release(struct reading *r)
{
	(void)ZSTD_freeDCtx(r->dctx);
	free(r->in);
	free(r->out);
}

static int fill(struct reading *r)
{
	size_t len = r->left < READ_SIZE ? (size_t)r->left : READ_SIZE;
	ssize_t n = len > 0 ? pread(r->blob, r->in, len, (off_t)r->at) : 0;

	if (n <= 0)
		return n < 0 ? -errno : -VARVE_E_FORMAT;
	r->at += (uint64_t)n;
	r->left -= (uint64_t)n;
	r->input = (ZSTD_inBuffer){r->in, (size_t)n, 0};
	return 0;
}

static int copy(struct reading *r, uint64_t want, struct toc_text *to)
{
	while (want > 0) {
		ZSTD_outBuffer out = {r->out, want < ROOM ? (size_t)want : ROOM, 0};
		int failed = r->input.pos == r->input.size ? fill(r) : 0;

		if (failed < 0)
			return failed;
		if (ZSTD_isError(ZSTD_decompressStream(r->dctx, &out, &r->input)))
			return -VARVE_E_FORMAT;
		toc_text_add(to, r->out, out.pos);
		want -= out.pos;
	}
	return 0;
}

/* The first want bytes of the text that lies there. */
static int copy_text(int blob, uint64_t at, uint64_t len, uint64_t want, struct toc_text *to)
{
	CLEANUP(reading_release)
	struct reading r = {.blob = blob,
			    .at = at,
			    .left = len,
			    .dctx = ZSTD_createDCtx(),
			    .in = xmalloc(READ_SIZE),
			    .out = xmalloc(ROOM)};

	buf_reset(&to->plain);
	return r.dctx ? copy(&r, want, to) : -ENOMEM;
}

int toc_resume(struct toc *t, int blob, const struct layer_mark *from)
{
	struct layer_footer f;
	int r = layer_footer_read(blob, &f, NULL);

	if (r <= 0)
		return r < 0 ? r : -VARVE_E_FORMAT;
	r = copy_text(blob, f.contents, f.contents_len, from->contents_at, &t->contents);
	if (r == 0)
		r = copy_text(blob, f.split, f.split_len, from->split_at, &t->split);
	t->entries = from->entries;
	t->positions = 2 * from->entries; /* a stretch and a content each */
	return r;
}
