/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/layer_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BYTES "00112233445566778899aabbccddeeff"
#define FILE_A "0 1 644 0 0 5 0 0 1000 0 1 " HEX " " BYTES "\0a\0\0\0"
#define LINK_B                                                                                     \
	"2 0 777 18446744073709551615 7 0 0 0 -1 999999999 0 " ZEROS " " BYTES "\0b\0"             \
	"to/a\0user.a=31\0"
#define TEXT(count, records) "varve-layer-files 3 " HEX " " count "\n" records
#define GOOD TEXT("2", FILE_A LINK_B)

static int parse(const char *text, size_t len, struct layer_files *ret)
{
	CLEANUP(buf_release) struct buf copy = BUF_INIT;

	buf_add(&copy, text, len);
	return layer_files_parse(buf_text(&copy), copy.len, ret);
}

static void takes_what_it_wrote(void **state)
{
	CLEANUP(layer_files_release) struct layer_files files = {0};
	CLEANUP(buf_release) struct buf again = BUF_INIT;

	(void)state;
	assert_int_equal(parse(GOOD, sizeof(GOOD) - 1, &files), 0);
	assert_int_equal(files.count, 2);
	assert_string_equal(files.items[0].path, "a");
	assert_true(files.items[0].text);
	assert_int_equal(files.items[0].mode, 0644);
	assert_int_equal(files.items[0].head[15], 0xff);
	assert_int_equal(files.items[0].order, 1);
	assert_string_equal(files.items[1].link, "to/a");
	assert_string_equal(files.items[1].xattrs, "user.a=31");
	assert_int_equal(files.items[1].mtime, -1);
	assert_int_equal(files.items[1].nanoseconds, 999999999);
	assert_true(files.items[1].uid == UINT64_MAX);
	assert_ptr_equal(layer_files_find(&files, "b"), &files.items[1]);
	assert_null(layer_files_find(&files, "a/b"));
	layer_files_format(&files, &again);
	assert_int_equal(again.len, sizeof(GOOD) - 1);
	assert_memory_equal(again.data, GOOD, again.len);
}

static void takes_a_layer_without_files(void **state)
{
	CLEANUP(layer_files_release) struct layer_files files = {0};
	static const char text[] = TEXT("0", "");

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1, &files), 0);
	assert_int_equal(files.count, 0);
	assert_null(layer_files_find(&files, "a"));
}

#define CASE(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

static void refuses_everything_else(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
		CASE(""),
		CASE("\n"),
		CASE("varve-layer-files 2 " HEX " 0\n"), /* an older form */
		CASE("varve-layer-files 3 " HEX " 0"),
		CASE("varve-layer-files 3 " HEX " 00\n"),
		CASE("varve-layer-files 3 " HEX " \n"),
		CASE("varve-layer-files 3 " HEX " 18446744073709551616\n"),
		CASE("varve-layer-files 3 0123\n"),
		CASE(TEXT("1", FILE_A LINK_B)),
		CASE(TEXT("3", FILE_A LINK_B)),
		CASE(TEXT("2", LINK_B FILE_A)), /* not by path */
		CASE(TEXT("2", FILE_A FILE_A)), /* twice the same place */
		CASE(TEXT("1", FILE_A "x")),
		CASE(TEXT("1", "0 1 644 0 0 5 0 0 1000 0 1 " HEX " " BYTES "\0a\0")),
		CASE(TEXT("1", "0 1 644 0 0 5 0 0 1000 0 1 " HEX " " BYTES "0\0a\0\0\0")),
		CASE(TEXT("1", "0 1 644 0 0 5 0 0 1000 0 1 " HEX " 0011\0a\0\0\0")),
		CASE(TEXT("1", "0 1 644 0 0 5 0 0 1000 0 1 " HEX " 00 " BYTES "\0a\0\0\0")),
		CASE(TEXT("1", "7 1 644 0 0 5 0 0 1000 0 1 " HEX " " BYTES "\0a\0\0\0")),
		CASE(TEXT("1", "0 2 644 0 0 5 0 0 1000 0 1 " HEX " " BYTES "\0a\0\0\0")),
		CASE(TEXT("1", "0 1 648 0 0 5 0 0 1000 0 1 " HEX " " BYTES "\0a\0\0\0")),
		CASE(TEXT("1", "0 1 10000 0 0 5 0 0 1000 0 1 " HEX " " BYTES "\0a\0\0\0")),
		CASE(TEXT("1", "0 1 644 00 0 5 0 0 1000 0 1 " HEX " " BYTES "\0a\0\0\0")),
		CASE(TEXT("1", "0 1 644 +1 0 5 0 0 1000 0 1 " HEX " " BYTES "\0a\0\0\0")),
		CASE(TEXT("1", "0 1 644 0 0  5 0 0 1000 0 1 " HEX " " BYTES "\0a\0\0\0")),
		CASE(TEXT("1", "0 1 644 0 0 5 0 0 -0 0 1 " HEX " " BYTES "\0a\0\0\0")),
		CASE(TEXT("1",
			  "0 1 644 0 0 5 0 0 9223372036854775808 0 1 " HEX " " BYTES "\0a\0\0\0")),
		CASE(TEXT("1", "0 1 644 0 0 5 0 0 1 1000000000 1 " HEX " " BYTES "\0a\0\0\0")),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct layer_files files = {.count = 7};

		if (parse(cases[i].text, cases[i].len, &files) != -VARVE_E_FORMAT)
			fail_msg("case %zu was taken", i);
		assert_int_equal(files.count, 7); /* untouched */
	}
	for (size_t len = 0; len < sizeof(GOOD) - 1; len++) {
		struct layer_files files = {0};

		if (parse(GOOD, len, &files) != -VARVE_E_FORMAT)
			fail_msg("the first %zu bytes were taken", len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_it_wrote),
		cmocka_unit_test(takes_a_layer_without_files),
		cmocka_unit_test(refuses_everything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
