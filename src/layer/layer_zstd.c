/* SPDX-License-Identifier: Apache-2.0
 * zstd. Worker threads are always on: the bytes then do not depend on their number (nbWorkers 0 is
 * another format of jobs). The size of a job and its overlap are ours, so that they stay what they
 * are. */
#include "layer/layer_compress.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>
#include "base/buf.h"

enum {
	OUT_SIZE = 1 << 20,
	JOB_SIZE = 4 << 20, /* two windows of level 3, and little memory */
	JOB_SIZE_HIGH = 16 << 20, /* windows of levels above 9 are 4 and 8 MiB */
	OVERLAP_LOG = 6, /* an eighth of a window is known to the next job */
};

struct zstd_sink {
	struct layer_compressor base;
	ZSTD_CCtx *cctx;
	ZSTD_outBuffer out;
};

static int zstd_error(size_t code, struct varve_error *err)
{
	return varve_error_set(err, -VARVE_E_HOST, "zstd: %s", ZSTD_getErrorName(code));
}

static int drain(struct zstd_sink *z, struct varve_error *err)
{
	size_t len = z->out.pos;

	z->out.pos = 0;
	return len > 0 ? layer_compressor_emit(&z->base, z->out.dst, len, err) : 0;
}

/* One call of the compressor; ret_left: what it said. */
static int step(struct zstd_sink *z, ZSTD_inBuffer *in, ZSTD_EndDirective how, size_t *ret_left,
		struct varve_error *err)
{
	*ret_left = ZSTD_compressStream2(z->cctx, &z->out, in, how);
	if (ZSTD_isError(*ret_left))
		return zstd_error(*ret_left, err);
	return z->out.pos == z->out.size ? drain(z, err) : 0;
}

static int zstd_write(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	struct zstd_sink *z = (struct zstd_sink *)sink;
	ZSTD_inBuffer in = {data, len, 0};
	size_t left;

	while (in.pos < in.size) {
		int r = step(z, &in, ZSTD_e_continue, &left, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int zstd_close(struct sink *sink, struct varve_error *err)
{
	struct zstd_sink *z = (struct zstd_sink *)sink;
	ZSTD_inBuffer in = {NULL, 0, 0};
	size_t left = 1;
	int r = sink->error;

	while (r == 0 && left > 0)
		r = step(z, &in, ZSTD_e_end, &left, err);
	if (r == 0)
		r = drain(z, err);
	return layer_compressor_end(&z->base, r, err);
}

static void zstd_free(struct layer_compressor *c)
{
	struct zstd_sink *z = (struct zstd_sink *)c;

	(void)ZSTD_freeCCtx(z->cctx);
	free(z->out.dst);
	free(z);
}

static int configure(ZSTD_CCtx *cctx, int level, unsigned threads, struct varve_error *err)
{
	const struct {
		ZSTD_cParameter parameter;
		int value;
	} settings[] = {
		{ZSTD_c_compressionLevel, level},
		{ZSTD_c_checksumFlag, 1},
		{ZSTD_c_nbWorkers, (int)threads},
		{ZSTD_c_jobSize, level <= 9 ? JOB_SIZE : JOB_SIZE_HIGH},
		{ZSTD_c_overlapLog, OVERLAP_LOG},
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		size_t r = ZSTD_CCtx_setParameter(cctx, settings[i].parameter, settings[i].value);

		if (ZSTD_isError(r))
			return zstd_error(r, err);
	}
	return 0;
}

int layer_zstd_new(int level, unsigned threads, struct sink *next, struct layer_compressor **ret,
		   struct varve_error *err)
{
	static const struct sink_ops ops = {zstd_write, zstd_close, NULL};
	struct zstd_sink *z = xcalloc(1, sizeof(*z));
	int r;

	z->base = (struct layer_compressor){.sink = {.ops = &ops}, .next = next, .free = zstd_free};
	z->cctx = ZSTD_createCCtx();
	r = z->cctx ? configure(z->cctx, level, threads, err)
		    : varve_error_set(err, -ENOMEM, "zstd");
	if (r < 0) {
		zstd_free(&z->base);
		return r;
	}
	z->out = (ZSTD_outBuffer){xmalloc(OUT_SIZE), OUT_SIZE, 0};
	*ret = &z->base;
	return 0;
}
