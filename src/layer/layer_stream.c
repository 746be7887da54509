/* SPDX-License-Identifier: Apache-2.0 */
#define ZLIB_CONST
#include "layer/layer_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/sink.h"
#include "layer/layer.h"
#include "layer/layer_ring.h"

enum { CHUNK = LAYER_RING_BLOCK, GZIP_WINDOW = 15 + 16 };

/* Room for decompressed bytes. */
struct room {
	unsigned char *data;
	size_t len, used;
};

struct layer_stream {
	const struct varve_descriptor *blob; /* borrowed */
	int fd;
	uint64_t offset; /* bytes of the blob read */
	bool pipe;
	struct hasher *hasher;
	struct layer_ring *ring; /* where a thread hashes: it has the input's buffers. Else NULL */
	struct layer_ring_hash beside;
	unsigned char *buffer; /* else */
	const unsigned char *in; /* one of them */
	size_t in_len, in_pos;
	bool in_frame; /* between the start and the end of a member or frame */
	bool ended; /* nothing more comes out */
	/* Makes progress; sets ended when the input is empty. */
	int (*decode)(struct layer_stream *s, struct room *out, struct varve_error *err);
	z_stream zlib;
	ZSTD_DCtx *zstd;
};

/* Gets more input; in_len is 0 at the end of the blob. */
static int fill(struct layer_stream *s, struct varve_error *err)
{
	unsigned char *room = s->ring ? layer_ring_room(s->ring) : s->buffer;
	ssize_t n;

	do
		n = s->pipe ? read(s->fd, room, CHUNK)
			    : pread(s->fd, room, CHUNK, (off_t)s->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return varve_error_set(err, -errno, "read blob");
	s->in = room;
	s->in_pos = 0;
	s->in_len = (size_t)n;
	s->offset += (uint64_t)n;
	if (s->ring && n > 0)
		layer_ring_push(s->ring, (size_t)n);
	else if (!s->ring && s->hasher)
		hasher_update(s->hasher, room, (size_t)n);
	if (s->offset > s->blob->size)
		return varve_error_set(err, -VARVE_E_DIGEST,
				       "the blob is longer than the %" PRIu64
				       " bytes it should have",
				       s->blob->size);
	return 0;
}

static int malformed(struct varve_error *err, const char *what)
{
	return varve_error_set(err, -VARVE_E_FORMAT, "layer blob: %s", what);
}

/* The blob is empty: a fine end between frames only. */
static int end(struct layer_stream *s, struct varve_error *err)
{
	s->ended = true;
	return s->in_frame ? malformed(err, "compressed data ends too early") : 0;
}

static int decode_plain(struct layer_stream *s, struct room *out, struct varve_error *err)
{
	size_t have = s->in_len - s->in_pos, space = out->len - out->used;
	size_t n = have < space ? have : space;

	if (have == 0)
		return end(s, err);
	memcpy(out->data + out->used, s->in + s->in_pos, n);
	out->used += n;
	s->in_pos += n;
	return 0;
}

static int decode_gzip(struct layer_stream *s, struct room *out, struct varve_error *err)
{
	z_stream *z = &s->zlib;
	int r;

	if (s->in_len == 0)
		return end(s, err);
	z->next_in = s->in + s->in_pos;
	z->avail_in = (uInt)(s->in_len - s->in_pos);
	z->next_out = out->data + out->used;
	z->avail_out = (uInt)(out->len - out->used);
	s->in_frame = true;
	r = inflate(z, Z_NO_FLUSH);
	s->in_pos = s->in_len - z->avail_in;
	out->used = out->len - z->avail_out;
	if (r == Z_STREAM_END) { /* another member may follow */
		s->in_frame = false;
		r = inflateReset(z);
	}
	return r == Z_OK || r == Z_BUF_ERROR ? 0 : malformed(err, "not valid gzip data");
}

static int decode_zstd(struct layer_stream *s, struct room *out, struct varve_error *err)
{
	ZSTD_inBuffer in = {s->in, s->in_len, s->in_pos};
	ZSTD_outBuffer to = {out->data, out->len, out->used};
	size_t left;

	if (s->in_len == 0)
		return end(s, err);
	left = ZSTD_decompressStream(s->zstd, &to, &in);
	if (ZSTD_isError(left))
		return malformed(err, ZSTD_getErrorName(left));
	s->in_frame = left > 0;
	s->in_pos = in.pos;
	out->used = to.pos;
	return 0;
}

static int start_gzip(struct layer_stream *s)
{
	s->decode = decode_gzip;
	return inflateInit2(&s->zlib, GZIP_WINDOW) == Z_OK ? 0 : -ENOMEM;
}

static int start_zstd(struct layer_stream *s)
{
	s->decode = decode_zstd;
	s->zstd = ZSTD_createDCtx();
	return s->zstd ? 0 : -ENOMEM;
}

static int start_plain(struct layer_stream *s)
{
	s->decode = decode_plain;
	return 0;
}

/* Also the media types of Docker and of layers that are not for distribution. */
static int start(struct layer_stream *s, const char *media_type, struct varve_error *err)
{
	static const struct {
		const char *suffix;
		int (*start)(struct layer_stream *s);
	} kinds[] = {
		{"+gzip", start_gzip},     {".tar.gzip", start_gzip}, {"+zstd", start_zstd},
		{".tar.zstd", start_zstd}, {".tar", start_plain},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int r;

		if (!str_ends(media_type, kinds[i].suffix))
			continue;
		r = kinds[i].start(s);
		return r < 0 ? varve_error_set(err, r, "start decompression") : 0;
	}
	return varve_error_set(err, -VARVE_E_FORMAT, "layers of type \"%s\" are not supported",
			       media_type);
}

int layer_stream_new(int fd, const struct varve_descriptor *blob, struct layer_stream **ret,
		     struct varve_error *err)
{
	CLEANUP(layer_stream_freep) struct layer_stream *s = xcalloc(1, sizeof(*s));
	int r;

	s->fd = fd;
	s->blob = blob;
	s->pipe = lseek(fd, 0, SEEK_CUR) < 0;
	s->hasher = hasher_new();
	s->buffer = xmalloc(CHUNK);
	r = start(s, blob->media_type, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&s);
	return 0;
}

void layer_stream_leave_digest(struct layer_stream *s)
{
	hasher_freep(&s->hasher);
}

void layer_stream_hash_beside(struct layer_stream *s)
{
	s->ring = layer_ring_new(1);
	if (layer_ring_hash_start(&s->beside, s->ring, 0) == 0)
		return;
	layer_ring_free(s->ring);
	s->ring = NULL;
}

ssize_t layer_stream_read(struct layer_stream *s, void *data, size_t len, struct varve_error *err)
{
	struct room out = {data, len, 0};

	while (out.used < out.len && !s->ended) {
		int r = 0;

		if (s->in_pos == s->in_len)
			r = fill(s, err);
		if (r == 0)
			r = s->decode(s, &out, err);
		if (r < 0)
			return r;
	}
	return (ssize_t)out.used;
}

static void get_digest(struct layer_stream *s, struct varve_digest *ret)
{
	if (!s->ring) {
		hasher_final(s->hasher, ret);
		return;
	}
	layer_ring_end(s->ring);
	layer_ring_hash_finish(&s->beside, ret);
}

static int verify(struct layer_stream *s, struct varve_error *err)
{
	struct varve_digest digest;
	char is[VARVE_DIGEST_TEXT], wanted[VARVE_DIGEST_TEXT];
	int r;

	do {
		r = fill(s, err);
		if (r < 0)
			return r;
	} while (s->in_len > 0);
	get_digest(s, &digest);
	if (s->offset == s->blob->size && varve_digest_equal(&digest, &s->blob->digest))
		return 0;
	return varve_error_set(err, -VARVE_E_DIGEST,
			       "the blob has %" PRIu64 " bytes and digest %s, not %" PRIu64
			       " and %s",
			       s->offset, varve_digest_text(&digest, is), s->blob->size,
			       varve_digest_text(&s->blob->digest, wanted));
}

int layer_stream_finish(struct layer_stream *s, int r, struct varve_error *err)
{
	struct varve_error damage;
	int verified;

	if (r != 0 && r != -VARVE_E_FORMAT)
		return r;
	verified = verify(s, &damage);
	if (verified == 0 || (r < 0 && verified != -VARVE_E_DIGEST))
		return r;
	if (err)
		*err = damage;
	return verified;
}

void layer_stream_freep(struct layer_stream **stream)
{
	struct layer_stream *s = *stream;

	*stream = NULL;
	if (!s)
		return;
	if (s->decode == decode_gzip)
		(void)inflateEnd(&s->zlib);
	(void)ZSTD_freeDCtx(s->zstd);
	if (s->ring)
		layer_ring_stop(s->ring);
	layer_ring_hash_finish(&s->beside, NULL);
	layer_ring_free(s->ring);
	hasher_free(s->hasher);
	free(s->buffer);
	free(s);
}

static int copy_stream(struct layer_stream *s, struct sink *out, struct varve_error *err)
{
	CLEANUP(free_ptr) unsigned char *buffer = xmalloc(CHUNK);
	ssize_t n;

	while ((n = layer_stream_read(s, buffer, CHUNK, err)) > 0) {
		int r = sink_write(out, buffer, (size_t)n);

		if (r < 0) {
			if (err)
				*err = out->text;
			return r;
		}
	}
	return (int)n;
}

int layer_unpack_stream(int fd, const struct varve_descriptor *blob, struct sink *take_out,
			struct varve_error *err)
{
	CLEANUP(layer_stream_freep) struct layer_stream *s = NULL;
	struct varve_error ignored;
	int r, closed;

	r = layer_stream_new(fd, blob, &s, err);
	if (r == 0)
		r = layer_stream_finish(s, copy_stream(s, take_out, err), err);
	closed = sink_close(take_out, r < 0 ? &ignored : err);
	return r < 0 ? r : closed;
}
