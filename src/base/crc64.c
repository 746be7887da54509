/* SPDX-License-Identifier: Apache-2.0
 * The polynomial has so few terms that a multiplication by x^64 is four shifted copies, and so is
 * one by its squares: a step of 32 bytes needs no table, and its words do not wait for each other.
 */
#include "base/crc64.h"

#include <endian.h>
#include <string.h>

#define POLYNOMIAL 0xd800000000000000ULL
#define ONE 0x8000000000000000ULL /* x^0, since bits are reflected */

enum { WORD = 8, HALF = 2 * WORD, STEP = 2 * HALF };

/* The remainder of value * (1 + x^a + x^b + x^c), the exponents below 32: at most that many bits
 * too many are reduced, since modulo the polynomial x^64 is x^4 + x^3 + x + 1. */
static inline uint64_t fold(uint64_t value, unsigned a, unsigned b, unsigned c)
{
	uint64_t folded = value ^ value >> a ^ value >> b ^ value >> c;
	uint64_t over = value << (64 - a) ^ value << (64 - b) ^ value << (64 - c);

	return folded ^ over ^ over >> 1 ^ over >> 3 ^ over >> 4;
}

static inline uint64_t word_at(const unsigned char *from)
{
	uint64_t word;

	memcpy(&word, from, WORD);
	return le64toh(word);
}

/* x^64 = 1 + x + x^3 + x^4, x^128 = 1 + x^2 + x^6 + x^8, x^256 = 1 + x^4 + x^12 + x^16. */
static uint64_t times_64(uint64_t value)
{
	return fold(value, 1, 3, 4);
}

static uint64_t times_128(uint64_t value)
{
	return fold(value, 2, 6, 8);
}

static uint64_t times_256(uint64_t value)
{
	return fold(value, 4, 12, 16);
}

static uint64_t two_words(const unsigned char *from)
{
	return times_64(word_at(from)) ^ word_at(from + WORD);
}

static uint64_t one_step(uint64_t crc, const unsigned char *from)
{
	const uint64_t first = two_words(from), second = two_words(from + HALF);

	/* All is multiplied by x^64 once more, as eight bytes' remainder is. */
	return times_256(crc) ^ times_64(times_128(first) ^ second);
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
	for (; len >= STEP; len -= STEP, from += STEP)
		crc = one_step(crc, from);
	for (; len >= WORD; len -= WORD, from += WORD)
		crc = times_64(crc ^ word_at(from));
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
