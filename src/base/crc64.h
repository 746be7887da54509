/* SPDX-License-Identifier: Apache-2.0
 * CRC-64 of ISO 3309 (x^64 + x^4 + x^3 + x + 1, bits reflected, inverted before and after): the
 * checksum of tar-split, as Go's hash/crc64 has it with the ISO polynomial. */
#ifndef BASE_CRC64_H
#define BASE_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from crc, which is 0 at the start. */
uint64_t crc64(uint64_t crc, const void *data, size_t len);
/* Of two pieces joined: first, and then second, which has len bytes. */
uint64_t crc64_combine(uint64_t first, uint64_t second, uint64_t len);

#endif
