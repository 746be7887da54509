/* SPDX-License-Identifier: Apache-2.0
 * sha256 of a large file while it is written or read: in a thread of its own that follows behind,
 * reading the same file again (from the page cache), so that a transfer does not wait for it. Small
 * files are hashed at once, by the caller's thread: they come in numbers, and keep all cores busy.
 */
#ifndef BASE_HASH_BESIDE_H
#define BASE_HASH_BESIDE_H

#include <stddef.h>
#include <stdint.h>
#include <varve/digest.h>

struct hash_beside;

/* size: expected of the file, in bytes. large: what is worth a thread; one for few files at a time
 * is HASH_BESIDE_LARGE. */
enum { HASH_BESIDE_LARGE = 64 << 20 };
struct hash_beside *hash_beside_new(uint64_t size, uint64_t large);
/* The file, before the first update; borrowed until hash_beside_free. */
void hash_beside_file(struct hash_beside *h, int fd);
/* The next len bytes of the file, which lie there and in data. */
void hash_beside_update(struct hash_beside *h, const void *data, size_t len);
/* Waits for the rest; then starts from the file's beginning again. A file that cannot be read has
 * the digest none. */
void hash_beside_final(struct hash_beside *h, struct varve_digest *ret);
void hash_beside_free(struct hash_beside *h);
void hash_beside_freep(struct hash_beside **h);

#endif
