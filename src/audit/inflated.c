/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/inflated.h"

#include <limits.h>
#include <stdint.h>
#include <zlib.h>
#include <zstd.h>
#include "base/cleanup.h"

enum { ROOM = 256 << 10, RAW_WINDOW = -15, GZIP_WINDOW = 15 + 16 };

/* Members until the input ends. */
static bool run_zlib(z_stream *z, bool members, struct buf *out)
{
	for (;;) {
		int r;

		if (out->len > INFLATED_LIMIT)
			return false;
		buf_reserve(out, ROOM);
		z->next_out = (unsigned char *)out->data + out->len;
		z->avail_out = ROOM;
		r = inflate(z, Z_NO_FLUSH);
		out->len += ROOM - z->avail_out;
		out->data[out->len] = '\0';
		if (r == Z_STREAM_END && (!members || z->avail_in == 0))
			return true;
		if (r == Z_STREAM_END)
			r = inflateReset(z);
		if (r != Z_OK)
			return false;
	}
}

static bool run_inflate(int window, const unsigned char *data, size_t len, struct buf *out)
{
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)data, .avail_in = (uInt)len};
	bool ok;

	if (len > UINT_MAX || inflateInit2(&z, window) != Z_OK)
		return false;
	ok = run_zlib(&z, window == GZIP_WINDOW, out);
	(void)inflateEnd(&z);
	return ok;
}

static bool run_zstd(const unsigned char *data, size_t len, struct buf *out)
{
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	ZSTD_inBuffer in = {data, len, 0};
	size_t left = zstd ? 1 : 0;
	bool ok = zstd != NULL;

	while (ok && (in.pos < len || left > 0)) {
		ZSTD_outBuffer to;
		size_t before = in.pos;

		buf_reserve(out, ROOM);
		to = (ZSTD_outBuffer){out->data + out->len, ROOM, 0};
		left = ZSTD_decompressStream(zstd, &to, &in);
		out->len += to.pos;
		out->data[out->len] = '\0';
		ok = !ZSTD_isError(left) && out->len <= INFLATED_LIMIT &&
		     (to.pos > 0 || in.pos > before || left == 0);
	}
	(void)ZSTD_freeDCtx(zstd);
	return ok;
}

bool inflated(enum inflated_form form, const unsigned char *data, size_t len, struct buf *ret)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	bool ok = false;

	switch (form) {
	case INFLATED_GZIP:
		ok = run_inflate(GZIP_WINDOW, data, len, &out);
		break;
	case INFLATED_RAW:
		ok = run_inflate(RAW_WINDOW, data, len, &out);
		break;
	case INFLATED_ZSTD:
		ok = run_zstd(data, len, &out);
		break;
	}
	if (!ok)
		return false;
	*ret = out;
	out = (struct buf)BUF_INIT;
	return true;
}
