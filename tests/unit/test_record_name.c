/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define HEAD "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define NAME                                                                                       \
	"\x01"                                                                                     \
	"A"                                                                                        \
	"\x03"                                                                                     \
	"org"                                                                                      \
	"\x00"

static const struct {
	const char *data;
	size_t len;
	size_t reply; /* length */
} cases[] = {
#define CASE(text, reply)                                                                          \
	{                                                                                          \
		text, sizeof(text) - 1, reply                                                      \
	}
	CASE(HEAD NAME "\x00\x01\x00\x01", 39), /* A: the loopback */
	CASE(HEAD NAME "\x00\x1c\x00\x01", 23), /* AAAA: none */
	CASE(HEAD NAME "\x00\x01\x00\x03", 0), /* another class */
	CASE(HEAD NAME "\x00\x01\x00", 0), /* cut */
	CASE(HEAD "\x05"
		  "abc",
	     0),
	CASE(HEAD "\xc0\x0c\x00\x01\x00\x01", 0), /* a pointer to itself */
	CASE(HEAD "\x03"
		  "a\0b"
		  "\x00\x00\x01\x00\x01",
	     0), /* a zero byte in a name */
	CASE(HEAD "\x03"
		  "a/b"
		  "\x00\x00\x01\x00\x01",
	     0),
	CASE("\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME "\x00\x01\x00\x01",
	     0), /* a reply */
	CASE("\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00" NAME "\x00\x01\x00\x01", 0),
	CASE("\x12", 0),
	CASE("", 0),
};

static void test_cases(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t reply[RECORD_NAME_PACKET] = {0};
		char name[RECORD_NAME_LIMIT + 1];
		/* Of its own size, so that reading on is seen. */
		CLEANUP(free_ptr) uint8_t *query = malloc(cases[i].len ? cases[i].len : 1);
		size_t len;

		assert_non_null(query);
		memcpy(query, cases[i].data, cases[i].len);
		len = record_name_answer(query, cases[i].len, reply, name);
		assert_int_equal(len, cases[i].reply);
		if (len == 0)
			continue;
		assert_string_equal(name, "a.org");
		assert_memory_equal(reply, "\x12\x34\x81\x80\x00\x01", 6);
		if (len == 39)
			assert_memory_equal(reply + len - 4, "\x7f\x00\x00\x01", 4);
	}
}

static void test_long_name(void **state)
{
	uint8_t query[RECORD_NAME_PACKET] = {0, 0, 1, 0, 0, 1}, reply[RECORD_NAME_PACKET];
	char name[RECORD_NAME_LIMIT + 1];
	size_t i;

	(void)state;
	for (i = 12; i + 64 < sizeof(query); i += 64) {
		query[i] = 63;
		memset(query + i + 1, 'a', 63);
	}
	assert_int_equal(record_name_answer(query, sizeof(query), reply, name), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
