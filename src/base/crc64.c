/* SPDX-License-Identifier: Apache-2.0
 * The polynomial has so few terms that a byte's remainder is four shifted copies of it: a step of
 * eight bytes needs no table. */
#include "base/crc64.h"

#include <endian.h>
#include <string.h>

#define POLYNOMIAL 0xd800000000000000ULL
#define ONE 0x8000000000000000ULL /* x^0, since bits are reflected */

/* The remainder of crc * x^64: modulo the polynomial x^64 is x^4 + x^3 + x + 1, which makes at most
 * four bits too many; they are reduced once more. */
static uint64_t eight_bytes(uint64_t crc)
{
	uint64_t folded = crc ^ crc >> 1 ^ crc >> 3 ^ crc >> 4;
	uint64_t over = crc << 63 ^ crc << 61 ^ crc << 60; /* x^64 and above, from the top bit on */

	return folded ^ over ^ over >> 1 ^ over >> 3 ^ over >> 4;
}

static uint64_t one_byte(uint64_t crc, unsigned char byte)
{
	crc ^= byte;
	for (int i = 0; i < 8; i++)
		crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
	return crc;
}

uint64_t crc64(uint64_t crc, const void *data, size_t len)
{
	const unsigned char *from = data;

	crc = ~crc;
	for (; len >= 8; len -= 8, from += 8) {
		uint64_t word;

		memcpy(&word, from, 8);
		crc = eight_bytes(crc ^ le64toh(word));
	}
	while (len-- > 0)
		crc = one_byte(crc, *from++);
	return ~crc;
}

/* The product of two polynomials, modulo the polynomial. */
static uint64_t multiply(uint64_t a, uint64_t b)
{
	uint64_t product = 0;

	for (uint64_t bit = ONE; bit; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b & 1 ? b >> 1 ^ POLYNOMIAL : b >> 1;
	}
	return product;
}

uint64_t crc64_combine(uint64_t first, uint64_t second, uint64_t len)
{
	uint64_t power = ONE, square = ONE >> 8; /* x^8: one byte */

	for (; len > 0; len >>= 1, square = multiply(square, square))
		if (len & 1)
			power = multiply(power, square);
	return multiply(power, first) ^ second;
}
