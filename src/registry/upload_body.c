/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload_body.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/hash_beside.h"

enum { READ_SIZE = 64 << 10 };

void upload_body_init(struct upload_body *body, const struct varve_descriptor *blob,
		      _Atomic uint64_t *done)
{
	*body = (struct upload_body){.blob = blob, .fd = -1, .done = done};
	body->hasher = hash_beside_new(blob->size, HASH_BESIDE_LARGE);
}

void upload_body_release(struct upload_body *body)
{
	hash_beside_freep(&body->hasher);
	fd_close(&body->fd);
}

static ssize_t read_at(struct upload_body *body, void *data, size_t len, uint64_t offset)
{
	ssize_t n;

	do
		n = pread(body->fd, data, len, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		body->error = n < 0 ? -errno : 0;
		body->wrong = true;
		return -EIO;
	}
	return n;
}

static void start_again(struct upload_body *body)
{
	struct varve_digest unused;

	hash_beside_final(body->hasher, &unused);
	body->hashed = 0;
}

void upload_body_file(struct upload_body *body, int take_fd)
{
	body->fd = take_fd;
	hash_beside_file(body->hasher, take_fd);
}

int upload_body_seek(struct upload_body *body, uint64_t offset, uint64_t len,
		     struct varve_error *err)
{
	unsigned char data[READ_SIZE];

	if (body->hashed > offset)
		start_again(body);
	while (body->hashed < offset) {
		uint64_t left = offset - body->hashed;
		size_t want = left < sizeof(data) ? (size_t)left : sizeof(data);
		ssize_t n = read_at(body, data, want, body->hashed);

		if (n < 0)
			return upload_body_complain(body, err);
		hash_beside_update(body->hasher, data, (size_t)n);
		body->hashed += (uint64_t)n;
	}
	body->begin = body->at = offset;
	body->end = offset + len;
	atomic_store(body->done, offset);
	return 0;
}

/* libcurl rewinds nothing: what was given is asked for again only through seek. But an
 * authorization that is renewed before the first byte gives the same body once more. */
ssize_t upload_body_give(void *cookie, void *data, size_t len)
{
	struct upload_body *body = cookie;
	uint64_t left = body->end - body->at;
	ssize_t n;

	n = read_at(body, data, left < len ? (size_t)left : len, body->at);
	if (n < 0)
		return n;
	hash_beside_update(body->hasher, data, (size_t)n);
	body->at += (uint64_t)n;
	body->hashed += (uint64_t)n;
	if (body->hashed == body->blob->size) {
		hash_beside_final(body->hasher, &body->actual);
		body->hashed = 0;
		body->wrong = !varve_digest_equal(&body->actual, &body->blob->digest);
		if (body->wrong)
			return -VARVE_E_DIGEST;
	}
	atomic_store(body->done, body->at);
	return n;
}

int upload_body_again(void *cookie)
{
	struct upload_body *body = cookie;

	return upload_body_seek(body, body->begin, body->end - body->begin, NULL);
}

int upload_body_complain(const struct upload_body *body, struct varve_error *err)
{
	char want[VARVE_DIGEST_TEXT], have[VARVE_DIGEST_TEXT];

	varve_digest_text(&body->blob->digest, want);
	if (body->error < 0)
		return varve_error_set(err, body->error, "read blob %s", want);
	if (body->at < body->blob->size && varve_digest_is_none(&body->actual))
		return varve_error_set(err, -VARVE_E_DIGEST,
				       "blob %s is damaged: its file ends after %" PRIu64
				       " of %" PRIu64 " bytes",
				       want, body->at, body->blob->size);
	return varve_error_set(err, -VARVE_E_DIGEST,
			       "blob %s is damaged: its bytes are %s; the registry did not get it",
			       want, varve_digest_text(&body->actual, have));
}
