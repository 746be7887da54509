/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_body.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash_beside.h"

enum {
	READ_SIZE = 64 << 10,
	HASHED_BESIDE = 512 << 10, /* bytes of a file whose hash is worth a thread */
	PENDING = 128 << 10, /* bytes of one write: libcurl gives them in small pieces */
	PENDING_MS = 100, /* and no older than that: a kill loses no more */
};

/* False where the file has fewer bytes than were promised. */
static bool hash_existing(struct http_body *body, uint64_t size)
{
	unsigned char data[READ_SIZE];

	while (body->offset < size) {
		uint64_t left = size - body->offset;
		size_t want = left < sizeof(data) ? (size_t)left : sizeof(data);
		ssize_t n = pread(body->transfer->fd, data, want, (off_t)body->offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		hash_beside_update(body->hasher, data, (size_t)n);
		body->offset += (uint64_t)n;
	}
	return true;
}

int http_body_begin(struct http_body *body, struct http_transfer *transfer, struct varve_error *err)
{
	*body = (struct http_body){.transfer = transfer,
				   .hasher = hash_beside_new(transfer->size, HASHED_BESIDE)};
	hash_beside_file(body->hasher, transfer->fd);
	if (!hash_existing(body, transfer->resume_from))
		return http_body_restart(body, err);
	body->best = body->offset;
	body->pieced = body->offset > 0;
	if (ftruncate(transfer->fd, (off_t)body->offset) < 0 ||
	    lseek(transfer->fd, (off_t)body->offset, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "continue the partial download");
	return 0;
}

static int check_room(const struct http_body *body, size_t len, struct varve_error *err)
{
	const struct http_transfer *t = body->transfer;
	uint64_t end = body->offset + len;

	if (t->size > 0 && end > t->size)
		return varve_error_set(err, -VARVE_E_DIGEST,
				       "the server sends more than the %" PRIu64 " bytes expected",
				       t->size);
	if (t->size == 0 && t->limit > 0 && end > t->limit)
		return varve_error_set(err, -VARVE_E_LIMIT,
				       "the file is larger than the %" PRIu64 " bytes allowed",
				       t->limit);
	return 0;
}

static void came(struct http_body *body, size_t len)
{
	body->offset += len;
	if (body->offset > body->best)
		body->best = body->offset;
}

static int flush(struct http_body *body, struct varve_error *err)
{
	int r = fd_write_all(body->transfer->fd, body->pending, body->pending_len);

	if (r < 0)
		return varve_error_set(err, r, "write the download");
	hash_beside_update(body->hasher, body->pending, body->pending_len);
	body->pending_len = 0;
	body->flushed_at = clock_ms();
	return 0;
}

int http_body_take(struct http_body *body, const void *data, size_t len, struct varve_error *err)
{
	int r = check_room(body, len, err);

	if (r < 0)
		return r;
	if (body->pending_len + len > PENDING)
		r = flush(body, err);
	if (r < 0)
		return r;
	if (!body->pending)
		body->pending = xmalloc(PENDING);
	memcpy(body->pending + body->pending_len, data, len);
	body->pending_len += len;
	came(body, len);
	return clock_ms() - body->flushed_at >= PENDING_MS ? flush(body, err) : 0;
}

int http_body_restart(struct http_body *body, struct varve_error *err)
{
	struct varve_digest unused;

	hash_beside_final(body->hasher, &unused);
	body->pending_len = 0;
	body->offset = 0;
	body->pieced = false;
	if (ftruncate(body->transfer->fd, 0) < 0 || lseek(body->transfer->fd, 0, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "empty the partial download");
	return 0;
}

int http_body_finish(struct http_body *body, struct varve_error *err)
{
	struct http_transfer *t = body->transfer;
	char want[VARVE_DIGEST_HEX], have[VARVE_DIGEST_HEX];
	struct varve_digest got;
	int r;

	if (t->size > 0 && body->offset < t->size)
		return -EAGAIN;
	r = flush(body, err);
	if (r < 0)
		return r;
	free_ptr(&body->pending);
	hash_beside_final(body->hasher, &got);
	if (t->want && !varve_digest_equal(t->want, &got))
		return varve_error_set(
			err, -VARVE_E_DIGEST, "the bytes are sha256:%s, expected was sha256:%s",
			varve_digest_hex(&got, have), varve_digest_hex(t->want, want));
	t->got = got;
	t->got_size = body->offset;
	return 0;
}

void http_body_release(struct http_body *body)
{
	/* What came is there for who goes on with it. */
	if (body->pending_len > 0)
		(void)flush(body, NULL);
	free(body->pending);
	hash_beside_freep(&body->hasher);
}
