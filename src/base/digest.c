/* SPDX-License-Identifier: Apache-2.0
 * sha256 through OpenSSL's plain functions: what EVP has hides where a hash is, which hasher_save
 * gives away. Both lead to the same instructions. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

static const char prefix[] = "sha256:";
enum { PREFIX_LENGTH = sizeof(prefix) - 1, READ_SIZE = 256 << 10 };

struct hasher {
	SHA256_CTX sha256;
	EVP_MD_CTX *sha1; /* NULL: it is a sha256 */
};

/* Failures here mean a broken or exhausted OpenSSL: the same class as running out of memory. */
static void must(bool ok)
{
	if (!ok)
		abort();
}

struct hasher *hasher_new(void)
{
	struct hasher *h = xcalloc(1, sizeof(*h));

	must(SHA256_Init(&h->sha256) == 1);
	return h;
}

static void start_sha1(struct hasher *h)
{
	must(h->sha1 && EVP_DigestInit_ex(h->sha1, EVP_sha1(), NULL) == 1);
}

struct hasher *hasher_new_sha1(void)
{
	struct hasher *h = xcalloc(1, sizeof(*h));

	h->sha1 = EVP_MD_CTX_new();
	start_sha1(h);
	return h;
}

void hasher_update(struct hasher *h, const void *data, size_t len)
{
	if (h->sha1)
		must(EVP_DigestUpdate(h->sha1, data, len) == 1);
	else
		must(SHA256_Update(&h->sha256, data, len) == 1);
}

void hasher_final(struct hasher *h, struct varve_digest *ret)
{
	must(SHA256_Final(ret->bytes, &h->sha256) == 1);
	must(SHA256_Init(&h->sha256) == 1);
}

void hasher_final_sha1(struct hasher *h, unsigned char ret[SHA1_SIZE])
{
	must(EVP_DigestFinal_ex(h->sha1, ret, NULL) == 1);
	start_sha1(h);
}

void hasher_save(const struct hasher *h, struct hasher_state *ret)
{
	const SHA256_CTX *c = &h->sha256;

	*ret = (struct hasher_state){.length = ((uint64_t)c->Nh << 32 | c->Nl) / 8};
	memcpy(ret->words, c->h, sizeof(ret->words));
	memcpy(ret->rest, c->data, c->num);
}

void hasher_load(struct hasher *h, const struct hasher_state *state)
{
	const uint64_t bits = state->length * 8;
	SHA256_CTX *c = &h->sha256;

	must(SHA256_Init(c) == 1);
	memcpy(c->h, state->words, sizeof(state->words));
	memcpy(c->data, state->rest, sizeof(state->rest));
	c->Nl = (SHA_LONG)bits;
	c->Nh = (SHA_LONG)(bits >> 32);
	c->num = (unsigned)(state->length % sizeof(state->rest));
}

void hasher_free(struct hasher *h)
{
	int saved = errno;

	if (!h)
		return;
	EVP_MD_CTX_free(h->sha1);
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
