/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/crc64.h"

/* Values of Go's hash/crc64 with its ISO table. */
static void values(void **state)
{
	static const struct {
		const char *text;
		uint64_t crc;
	} cases[] = {
		{"", 0},
		{"a", 0x3420000000000000},
		{"ab", 0x36c4200000000000},
		{"123456789", 0xb90956c775a41001},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(crc64(0, cases[i].text, strlen(cases[i].text)), cases[i].crc);
}

static void in_pieces(void **state)
{
	unsigned char data[301];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 151 + i / 7);
	for (size_t at = 0; at <= sizeof(data); at++) {
		uint64_t whole = crc64(0, data, sizeof(data)), first = crc64(0, data, at);
		uint64_t second = crc64(0, data + at, sizeof(data) - at);

		assert_int_equal(crc64(first, data + at, sizeof(data) - at), whole);
		assert_int_equal(crc64_combine(first, second, sizeof(data) - at), whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
