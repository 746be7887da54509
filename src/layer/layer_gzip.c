/* SPDX-License-Identifier: Apache-2.0
 * gzip on several threads: the input is cut into blocks of a fixed size, each compressed with the
 * 32 KiB before it as dictionary and ended on a byte boundary (Z_SYNC_FLUSH); joined they are one
 * member. The cuts depend on nothing but the offset, so neither do the bytes.
 *
 * Jobs are a ring in stream order: filled by the writer, compressed by any worker, written out by
 * the writer when it needs the place again. */
#include "layer/layer_compress.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base/buf.h"

enum {
	BLOCK = 512 << 10,
	DICTIONARY = 32 << 10,
	RAW_DEFLATE = -15, /* zlib's windowBits for no header */
	MEMORY_LEVEL = 8,
};

enum job_state { JOB_FREE, JOB_QUEUED, JOB_RUNNING, JOB_DONE };

struct job {
	enum job_state state;
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
	struct job *ring;
	size_t ring_size;
	size_t fill; /* the job being filled */
	size_t out_size;
	uLong crc;
	uint32_t total;
	pthread_t *threads;
	unsigned thread_count;
	pthread_mutex_t mutex; /* guards what follows, and the states */
	pthread_cond_t queued, done;
	size_t take; /* the next job for a worker */
	bool stop;
	bool failed;
};

/* Whether zlib took it all. */
static bool compress_job(z_stream *z, struct job *job, size_t out_size)
{
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

/* The next job to work on, marked as running; NULL: the end. Holds the mutex. */
static struct job *take_job(struct gzip_sink *g)
{
	struct job *job;

	while (!g->stop && g->ring[g->take].state != JOB_QUEUED)
		(void)pthread_cond_wait(&g->queued, &g->mutex);
	if (g->stop)
		return NULL;
	job = &g->ring[g->take];
	job->state = JOB_RUNNING;
	g->take = (g->take + 1) % g->ring_size;
	return job;
}

static void *work(void *cookie)
{
	struct gzip_sink *g = cookie;
	z_stream z = {0};
	bool ok = deflateInit2(&z, g->level, Z_DEFLATED, RAW_DEFLATE, MEMORY_LEVEL,
			       Z_DEFAULT_STRATEGY) == Z_OK;
	struct job *job;

	(void)pthread_mutex_lock(&g->mutex);
	while ((job = take_job(g))) {
		(void)pthread_mutex_unlock(&g->mutex);
		ok = ok && compress_job(&z, job, g->out_size);
		(void)pthread_mutex_lock(&g->mutex);
		g->failed = g->failed || !ok;
		job->state = JOB_DONE;
		(void)pthread_cond_signal(&g->done);
	}
	(void)pthread_mutex_unlock(&g->mutex);
	(void)deflateEnd(&z);
	return NULL;
}

/* Waits until a job can be filled again: writes out what is in it. */
static int retire(struct gzip_sink *g, struct job *job, struct varve_error *err)
{
	bool failed, used;

	(void)pthread_mutex_lock(&g->mutex);
	used = job->state != JOB_FREE;
	while (used && job->state != JOB_DONE)
		(void)pthread_cond_wait(&g->done, &g->mutex);
	job->state = JOB_FREE;
	failed = g->failed;
	(void)pthread_mutex_unlock(&g->mutex);
	if (!used)
		return 0;
	if (failed)
		return varve_error_set(err, -VARVE_E_HOST, "zlib: compression failed");
	g->crc = crc32_combine(g->crc, job->crc, (z_off_t)job->len);
	return layer_compressor_emit(&g->base, job->out, job->out_len, err);
}

/* Hands the filled job to the workers, and prepares the next one: it starts with the end of this.
 */
static int submit(struct gzip_sink *g, bool last, struct varve_error *err)
{
	struct job *job = &g->ring[g->fill], *next;
	int r;

	g->fill = (g->fill + 1) % g->ring_size;
	next = &g->ring[g->fill];
	(void)pthread_mutex_lock(&g->mutex);
	job->last = last;
	job->state = JOB_QUEUED;
	(void)pthread_cond_signal(&g->queued);
	(void)pthread_mutex_unlock(&g->mutex);
	r = retire(g, next, err);
	if (r < 0 || last)
		return r;
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
		struct job *job = &g->ring[g->fill];
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

	for (size_t i = 1; r == 0 && i < g->ring_size; i++)
		r = retire(g, &g->ring[(g->fill + i) % g->ring_size], err);
	if (r < 0)
		return r;
	put_u32(trailer, g->crc);
	put_u32(trailer + 4, g->total);
	return layer_compressor_emit(&g->base, trailer, sizeof(trailer), err);
}

static void stop_workers(struct gzip_sink *g)
{
	(void)pthread_mutex_lock(&g->mutex);
	g->stop = true;
	(void)pthread_cond_broadcast(&g->queued);
	(void)pthread_mutex_unlock(&g->mutex);
	for (unsigned i = 0; i < g->thread_count; i++)
		(void)pthread_join(g->threads[i], NULL);
	g->thread_count = 0;
}

static int gzip_close(struct sink *sink, struct varve_error *err)
{
	struct gzip_sink *g = (struct gzip_sink *)sink;
	int r = sink->error;

	if (r == 0)
		r = finish(g, err);
	stop_workers(g);
	return layer_compressor_end(&g->base, r, err);
}

static void gzip_free(struct layer_compressor *c)
{
	struct gzip_sink *g = (struct gzip_sink *)c;

	stop_workers(g);
	for (size_t i = 0; i < g->ring_size; i++) {
		free(g->ring[i].in);
		free(g->ring[i].out);
	}
	(void)pthread_mutex_destroy(&g->mutex);
	(void)pthread_cond_destroy(&g->queued);
	(void)pthread_cond_destroy(&g->done);
	free(g->ring);
	free(g->threads);
	free(g);
}

/* Room for a block that does not compress, and the flush. */
static size_t out_bound(void)
{
	return compressBound(BLOCK) + 64;
}

static int start_workers(struct gzip_sink *g, unsigned threads, struct varve_error *err)
{
	sigset_t all, before;
	int r = 0;

	g->threads = xcalloc(threads, sizeof(*g->threads));
	/* Signals are for the threads of the caller. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (r == 0 && g->thread_count < threads) {
		r = pthread_create(&g->threads[g->thread_count], NULL, work, g);
		g->thread_count += r == 0;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r == 0 ? 0 : varve_error_set(err, -r, "start a thread for compression");
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
	static const struct sink_ops ops = {gzip_write, gzip_close};
	struct gzip_sink *g = xcalloc(1, sizeof(*g));
	int r;

	g->base = (struct layer_compressor){.sink = {.ops = &ops}, .next = next, .free = gzip_free};
	g->level = level;
	g->crc = crc32(0, NULL, 0);
	g->out_size = out_bound();
	(void)pthread_mutex_init(&g->mutex, NULL);
	(void)pthread_cond_init(&g->queued, NULL);
	(void)pthread_cond_init(&g->done, NULL);
	g->ring_size = (size_t)threads * 2 + 1;
	g->ring = xcalloc(g->ring_size, sizeof(*g->ring));
	for (size_t i = 0; i < g->ring_size; i++) {
		g->ring[i].in = xmalloc(DICTIONARY + BLOCK);
		g->ring[i].out = xmalloc(g->out_size);
	}
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
