/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

static const char prefix[] = "sha256:";
enum { PREFIX_LENGTH = sizeof(prefix) - 1, READ_SIZE = 256 << 10 };

struct hasher {
	EVP_MD *md; /* fetched once: fetching costs more than hashing a small message */
	EVP_MD_CTX *context;
};

/* Failures here mean a broken or exhausted OpenSSL: the same class as running out of memory. */
static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct hasher *hasher_of(const char *algorithm)
{
	struct hasher *h = xcalloc(1, sizeof(*h));

	h->md = EVP_MD_fetch(NULL, algorithm, NULL);
	h->context = EVP_MD_CTX_new();
	must(h->md && h->context && EVP_DigestInit_ex2(h->context, h->md, NULL) == 1);
	return h;
}

struct hasher *hasher_new(void)
{
	return hasher_of("SHA256");
}

struct hasher *hasher_new_sha1(void)
{
	return hasher_of("SHA1");
}

void hasher_update(struct hasher *h, const void *data, size_t len)
{
	must(EVP_DigestUpdate(h->context, data, len) == 1);
}

void hasher_final(struct hasher *h, struct varve_digest *ret)
{
	must(EVP_DigestFinal_ex(h->context, ret->bytes, NULL) == 1);
	must(EVP_DigestInit_ex2(h->context, h->md, NULL) == 1);
}

void hasher_final_sha1(struct hasher *h, unsigned char ret[SHA1_SIZE])
{
	must(EVP_DigestFinal_ex(h->context, ret, NULL) == 1);
	must(EVP_DigestInit_ex2(h->context, h->md, NULL) == 1);
}

void hasher_free(struct hasher *h)
{
	int saved = errno;

	if (!h)
		return;
	EVP_MD_CTX_free(h->context);
	EVP_MD_free(h->md);
	free(h);
	errno = saved;
}

void hasher_freep(struct hasher **h)
{
	if (!h)
		return;
	hasher_free(*h);
	*h = NULL;
}

void digest_bytes(const void *data, size_t len, struct varve_digest *ret)
{
	must(EVP_Digest(data, len, ret->bytes, NULL, EVP_sha256(), NULL) == 1);
}

int digest_fd(int fd, struct varve_digest *ret, uint64_t *ret_size)
{
	CLEANUP(hasher_freep) struct hasher *h = hasher_new();
	CLEANUP(free_ptr) char *data = xmalloc(READ_SIZE);
	uint64_t size = 0;
	ssize_t n;

	while ((n = fd_read_full(fd, data, READ_SIZE)) > 0) {
		hasher_update(h, data, (size_t)n);
		size += (uint64_t)n;
	}
	if (n < 0)
		return (int)n;
	hasher_final(h, ret);
	if (ret_size)
		*ret_size = size;
	return 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int varve_digest_parse_hex(const char *hex, struct varve_digest *ret)
{
	struct varve_digest d;

	if (strnlen(hex, VARVE_DIGEST_HEX) != VARVE_DIGEST_HEX - 1)
		return -VARVE_E_FORMAT;
	for (size_t i = 0; i < VARVE_DIGEST_SIZE; i++) {
		int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -VARVE_E_FORMAT;
		d.bytes[i] = (unsigned char)(high << 4 | low);
	}
	*ret = d;
	return 0;
}

int varve_digest_parse(const char *text, struct varve_digest *ret)
{
	if (strncmp(text, prefix, PREFIX_LENGTH) != 0)
		return -VARVE_E_FORMAT;
	return varve_digest_parse_hex(text + PREFIX_LENGTH, ret);
}

const char *varve_digest_hex(const struct varve_digest *d, char buffer[VARVE_DIGEST_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < VARVE_DIGEST_SIZE; i++) {
		buffer[2 * i] = digits[d->bytes[i] >> 4];
		buffer[2 * i + 1] = digits[d->bytes[i] & 15];
	}
	buffer[VARVE_DIGEST_HEX - 1] = '\0';
	return buffer;
}

const char *varve_digest_text(const struct varve_digest *d, char buffer[VARVE_DIGEST_TEXT])
{
	memcpy(buffer, prefix, PREFIX_LENGTH);
	varve_digest_hex(d, buffer + PREFIX_LENGTH);
	return buffer;
}

bool varve_digest_equal(const struct varve_digest *a, const struct varve_digest *b)
{
	return varve_digest_compare(a, b) == 0;
}

int varve_digest_compare(const struct varve_digest *a, const struct varve_digest *b)
{
	return memcmp(a->bytes, b->bytes, VARVE_DIGEST_SIZE);
}

bool varve_digest_is_none(const struct varve_digest *d)
{
	static const struct varve_digest none;

	return varve_digest_equal(d, &none);
}
