/* SPDX-License-Identifier: Apache-2.0
 * Computing sha256 (the only file of base that knows OpenSSL is digest.c). */
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
void hasher_free(struct hasher *h);
void hasher_freep(struct hasher **h);

void digest_bytes(const void *data, size_t len, struct varve_digest *ret);
/* Hashes from the current offset to the end. Returns -errno. */
int digest_fd(int fd, struct varve_digest *ret, uint64_t *ret_size);

#endif
