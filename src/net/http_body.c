/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_body.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"

enum { READ_SIZE = 64 << 10 };

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
		hasher_update(body->hasher, data, (size_t)n);
		body->offset += (uint64_t)n;
	}
	return true;
}

int http_body_begin(struct http_body *body, struct http_transfer *transfer, struct varve_error *err)
{
	*body = (struct http_body){.transfer = transfer, .hasher = hasher_new()};
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

int http_body_take(struct http_body *body, const void *data, size_t len, struct varve_error *err)
{
	int r = check_room(body, len, err);

	if (r < 0)
		return r;
	r = fd_write_all(body->transfer->fd, data, len);
	if (r < 0)
		return varve_error_set(err, r, "write the download");
	hasher_update(body->hasher, data, len);
	body->offset += len;
	if (body->offset > body->best)
		body->best = body->offset;
	return 0;
}

int http_body_restart(struct http_body *body, struct varve_error *err)
{
	struct varve_digest unused;

	hasher_final(body->hasher, &unused);
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

	if (t->size > 0 && body->offset < t->size)
		return -EAGAIN;
	hasher_final(body->hasher, &got);
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
	hasher_freep(&body->hasher);
}
