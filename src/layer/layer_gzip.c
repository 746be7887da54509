/* SPDX-License-Identifier: Apache-2.0
 * gzip on several threads: the input is cut into blocks of a fixed size, each compressed with the
 * 32 KiB before it as dictionary and ended on a byte boundary (Z_SYNC_FLUSH); joined they are one
 * member. The cuts depend on nothing but the offset, so neither do the bytes. */
#include "layer/layer_compress.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_jobs.h"

enum {
	BLOCK = 512 << 10,
	DICTIONARY = 32 << 10,
	RAW_DEFLATE = -15, /* zlib's windowBits for no header */
	MEMORY_LEVEL = 8,
};

struct job {
	struct layer_job base;
	bool last;
	unsigned char *in; /* dictionary, then the block */
	size_t dictionary, len;
	unsigned char *out;
	size_t out_len;
	uLong crc;
};

struct gzip_sink {
	struct layer_compressor base;
	int level;
	struct layer_jobs jobs;
	struct job *ring;
	size_t ring_size;
	uLong crc;
	uint32_t total;
};

/* Room for a block that does not compress, and the flush. */
static size_t out_bound(void)
{
	return compressBound(BLOCK) + 64;
}

/* Whether zlib took it all. */
static bool compress_job(void *worker, struct layer_job *which)
{
	z_stream *z = worker;
	struct job *job = (struct job *)which;
	size_t out_size = out_bound();
	int r;

	if (deflateReset(z) != Z_OK)
		return false;
	if (job->dictionary > 0 && deflateSetDictionary(z, job->in + DICTIONARY - job->dictionary,
							(uInt)job->dictionary) != Z_OK)
		return false;
	z->next_in = job->in + DICTIONARY;
	z->avail_in = (uInt)job->len;
	z->next_out = job->out;
	z->avail_out = (uInt)out_size;
	r = deflate(z, job->last ? Z_FINISH : Z_SYNC_FLUSH);
	job->out_len = out_size - z->avail_out;
	job->crc = crc32(0, job->in + DICTIONARY, (uInt)job->len);
	return r == (job->last ? Z_STREAM_END : Z_OK) && z->avail_in == 0 && z->avail_out > 0;
}

static void *begin_worker(void *cookie)
{
	const struct gzip_sink *g = cookie;
	z_stream *z = xcalloc(1, sizeof(*z));

	if (deflateInit2(z, g->level, Z_DEFLATED, RAW_DEFLATE, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) ==
	    Z_OK)
		return z;
	free(z);
	return NULL;
}

static void end_worker(void *worker)
{
	if (worker)
		(void)deflateEnd(worker);
	free(worker);
}

/* Writes out what is in the current job, so that it can be filled again. */
static int retire(struct gzip_sink *g, struct varve_error *err)
{
	const struct job *job = (const struct job *)layer_jobs_current(&g->jobs);
	int r = layer_jobs_wait(&g->jobs);

	if (r < 0)
		return varve_error_set(err, r, "zlib: compression failed");
	if (r == 0)
		return 0;
	g->crc = crc32_combine(g->crc, job->crc, (z_off_t)job->len);
	return layer_compressor_emit(&g->base, job->out, job->out_len, err);
}

/* Hands the filled job to the workers, and prepares the next one: it starts with the end of this.
 */
static int submit(struct gzip_sink *g, bool last, struct varve_error *err)
{
	struct job *job = (struct job *)layer_jobs_current(&g->jobs), *next;
	int r;

	job->last = last;
	layer_jobs_submit(&g->jobs);
	r = retire(g, err);
	if (r < 0 || last)
		return r;
	next = (struct job *)layer_jobs_current(&g->jobs);
	memcpy(next->in, job->in + job->len, DICTIONARY);
	next->dictionary = DICTIONARY;
	next->len = 0;
	return 0;
}

static int gzip_write(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	struct gzip_sink *g = (struct gzip_sink *)sink;
	const unsigned char *from = data;

	g->total += (uint32_t)len;
	while (len > 0) {
		struct job *job = (struct job *)layer_jobs_current(&g->jobs);
		size_t space = BLOCK - job->len, n = len < space ? len : space;
		int r;

		memcpy(job->in + DICTIONARY + job->len, from, n);
		job->len += n;
		from += n;
		len -= n;
		r = job->len == BLOCK ? submit(g, false, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static void put_u32(unsigned char *to, uLong value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (unsigned char)(value >> 8 * i);
}

static int finish(struct gzip_sink *g, struct varve_error *err)
{
	unsigned char trailer[8];
	int r = submit(g, true, err);

	for (size_t i = 1; r == 0 && i < g->ring_size; i++) {
		(void)layer_jobs_next(&g->jobs);
		r = retire(g, err);
	}
	if (r < 0)
		return r;
	put_u32(trailer, g->crc);
	put_u32(trailer + 4, g->total);
	return layer_compressor_emit(&g->base, trailer, sizeof(trailer), err);
}

static int gzip_close(struct sink *sink, struct varve_error *err)
{
	struct gzip_sink *g = (struct gzip_sink *)sink;
	int r = sink->error;

	if (r == 0)
		r = finish(g, err);
	layer_jobs_stop(&g->jobs);
	return layer_compressor_end(&g->base, r, err);
}

static void gzip_free(struct layer_compressor *c)
{
	struct gzip_sink *g = (struct gzip_sink *)c;

	layer_jobs_stop(&g->jobs);
	for (size_t i = 0; i < g->ring_size; i++) {
		free(g->ring[i].in);
		free(g->ring[i].out);
	}
	free(g->ring);
	free(g);
}

static int start_workers(struct gzip_sink *g, unsigned threads, struct varve_error *err)
{
	static const struct layer_jobs_kind kind = {begin_worker, compress_job, end_worker};
	CLEANUP(free_ptr) struct layer_job **jobs = NULL;

	g->ring_size = layer_jobs_size(threads);
	g->ring = xcalloc(g->ring_size, sizeof(*g->ring));
	jobs = xcalloc(g->ring_size, sizeof(struct layer_job *));
	for (size_t i = 0; i < g->ring_size; i++) {
		g->ring[i].in = xmalloc(DICTIONARY + BLOCK);
		g->ring[i].out = xmalloc(out_bound());
		jobs[i] = &g->ring[i].base;
	}
	return layer_jobs_start(&g->jobs, &kind, g, jobs, threads, err);
}

static int emit_header(struct gzip_sink *g, struct varve_error *err)
{
	/* RFC 1952: magic, deflate, no flags, no time, XFL (2: best, 4: fastest), OS 255 (unknown).
	 */
	const unsigned char header[10] = {
		0x1f, 0x8b, 8, 0, 0, 0, 0, 0, g->level == 9 ? 2 : g->level == 1 ? 4 : 0, 255};

	return layer_compressor_emit(&g->base, header, sizeof(header), err);
}

int layer_gzip_new(int level, unsigned threads, struct sink *next, struct layer_compressor **ret,
		   struct varve_error *err)
{
	static const struct sink_ops ops = {gzip_write, gzip_close, NULL};
	struct gzip_sink *g = xcalloc(1, sizeof(*g));
	int r;

	g->base = (struct layer_compressor){.sink = {.ops = &ops}, .next = next, .free = gzip_free};
	g->level = level;
	g->crc = crc32(0, NULL, 0);
	r = start_workers(g, threads, err);
	if (r == 0)
		r = emit_header(g, err);
	if (r < 0) {
		gzip_free(&g->base);
		return r;
	}
	*ret = &g->base;
	return 0;
}
