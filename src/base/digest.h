/* SPDX-License-Identifier: Apache-2.0
 * Computing sha256, and sha1 (the only file of base that knows OpenSSL is digest.c). */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include <varve/digest.h>
#include <varve/error.h>

struct hasher; /* a running sha256 */

struct hasher *hasher_new(void);
void hasher_update(struct hasher *h, const void *data, size_t len);
void hasher_final(struct hasher *h, struct varve_digest *ret); /* then reset, for another message */
/* Where a running sha256 is, for another one to go on from, also in another process. Two that took
 * as many bytes are equal only where the bytes are. */
struct hasher_state {
	uint32_t words[8];
	uint64_t length; /* bytes so far */
	unsigned char rest[64]; /* length % 64 of them are not in the words yet; zeros behind */
};
void hasher_save(const struct hasher *h, struct hasher_state *ret);
void hasher_load(struct hasher *h, const struct hasher_state *state);
/* A running sha1, for documents that demand it; ends with its own function. */
enum { SHA1_SIZE = 20 };
struct hasher *hasher_new_sha1(void);
void hasher_final_sha1(struct hasher *h, unsigned char ret[SHA1_SIZE]); /* then reset */
void hasher_free(struct hasher *h);
void hasher_freep(struct hasher **h);

void digest_bytes(const void *data, size_t len, struct varve_digest *ret);
/* Hashes from the current offset to the end. Returns -errno. */
int digest_fd(int fd, struct varve_digest *ret, uint64_t *ret_size);

#endif
