/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

static void buf_grows_and_stays_terminated(void **state)
{
	CLEANUP(buf_release) struct buf buf = BUF_INIT;
	char long_text[300];

	(void)state;
	assert_string_equal(buf_text(&buf), "");
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	buf_addstr(&buf, "a");
	buf_addc(&buf, 'b');
	buf_addf(&buf, "%d-%s", 42, long_text);
	buf_add(&buf, "\0z", 2);
	assert_int_equal(buf.len, 2 + 3 + 299 + 2);
	assert_memory_equal(buf.data, "ab42-xxx", 8);
	assert_memory_equal(buf.data + buf.len - 3, "x\0z", 4);
	buf_reset(&buf);
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf_text(&buf), "");
}

static void buf_add_of_nothing(void **state)
{
	CLEANUP(buf_release) struct buf buf = BUF_INIT;

	(void)state;
	buf_add(&buf, NULL, 0);
	assert_int_equal(buf.len, 0);
	buf_addf(&buf, "%s", "");
	assert_string_equal(buf_text(&buf), "");
}

static void buf_formats_at_every_length(void **state)
{
	(void)state;
	for (int width = 0; width < 600; width += 7) {
		CLEANUP(buf_release) struct buf buf = BUF_INIT;

		buf_addf(&buf, "%*s|%*s", width, "", width, "");
		assert_int_equal(buf.len, 2 * width + 1);
		assert_int_equal(strlen(buf.data), buf.len);
		assert_int_equal(buf.data[width], '|');
	}
}

static void buf_steal_leaves_it_empty(void **state)
{
	struct buf buf = BUF_INIT;
	CLEANUP(free_ptr) char *first = NULL;
	CLEANUP(free_ptr) char *second = NULL;

	(void)state;
	buf_addstr(&buf, "kept");
	first = buf_steal(&buf);
	second = buf_steal(&buf);
	assert_string_equal(first, "kept");
	assert_string_equal(second, "");
	assert_null(buf.data);
}

static void cleanup_keeps_errno(void **state)
{
	char *p = xstrdup("x");
	char *stolen = steal_ptr(&p);

	(void)state;
	assert_null(p);
	errno = ENOSPC;
	free_ptr(&stolen);
	buf_release(NULL);
	assert_null(stolen);
	assert_int_equal(errno, ENOSPC);
}

static void array_grow_zeroes(void **state)
{
	CLEANUP(free_ptr) int *items = NULL;
	size_t alloc = 0;

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		items = array_grow(items, i, &alloc, sizeof(*items));
		assert_true(alloc > i);
		assert_int_equal(items[i], 0);
		items[i] = (int)i + 1;
	}
	assert_int_equal(items[999], 1000);
	/* A step by more than the array doubles to. */
	items = array_grow(items, 50000, &alloc, sizeof(*items));
	assert_true(alloc > 50000);
	assert_int_equal(items[50000], 0);
}

static void strings_compare(void **state)
{
	(void)state;
	assert_true(str_equal(NULL, NULL));
	assert_false(str_equal(NULL, ""));
	assert_false(str_equal("a", NULL));
	assert_true(str_equal("a", "a"));
	assert_true(str_starts("sha256:", "sha"));
	assert_false(str_starts("sh", "sha"));
	assert_true(str_ends("a.lock.json", ".json"));
	assert_false(str_ends("json", ".json"));
	assert_true(str_ends("x", ""));
}

static void numbers_are_read_strictly(void **state)
{
	static const struct {
		const char *text;
		unsigned long long maximum;
		int ok;
		unsigned long long value;
	} table[] = {
		{"0", 0, 1, 0},
		{"1", 0, 0, 0},
		{"007", 7, 1, 7},
		{"12", 12, 1, 12},
		{"13", 12, 0, 0},
		{"5", 4, 0, 0},
		{"", 10, 0, 0},
		{" 1", 10, 0, 0},
		{"1 ", 10, 0, 0},
		{"+1", 10, 0, 0},
		{"-1", 10, 0, 0},
		{"0x1", 10, 0, 0},
		{"1\xff", 1000, 0, 0},
		{"18446744073709551615", UINT64_MAX, 1, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, 0, 0},
		{"99999999999999999999999", UINT64_MAX, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		unsigned long long value = 77;

		assert_int_equal(str_to_u64(table[i].text, table[i].maximum, &value), table[i].ok);
		assert_int_equal(value, table[i].ok ? table[i].value : 77);
	}
}

static void nearest_names(void **state)
{
	static const char *const names[] = {"environment", "workdir", "user", "if",
					    "install",     "run",     NULL};
	static const char *const none[] = {NULL};
	static const struct {
		const char *word, *nearest;
	} table[] = {
		{"enviroment", "environment"},
		{"environments", "environment"},
		{"envrionment", "environment"},
		{"work-dir", "workdir"},
		{"usr", "user"},
		{"rnu", "run"},
		{"fi", "if"},
		{"instal", "install"},
		{"install", "install"},
		{"copy", NULL},
		{"", NULL},
		{"a name so long that nobody could have meant any of those at all, really", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *found = str_nearest(table[i].word, names);

		if (!str_equal(found, table[i].nearest))
			fail_msg("%s: %s, expected %s", table[i].word, found ? found : "nothing",
				 table[i].nearest ? table[i].nearest : "nothing");
	}
	assert_null(str_nearest("user", none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf_grows_and_stays_terminated),
		cmocka_unit_test(buf_add_of_nothing),
		cmocka_unit_test(buf_formats_at_every_length),
		cmocka_unit_test(buf_steal_leaves_it_empty),
		cmocka_unit_test(cleanup_keeps_errno),
		cmocka_unit_test(array_grow_zeroes),
		cmocka_unit_test(strings_compare),
		cmocka_unit_test(numbers_are_read_strictly),
		cmocka_unit_test(nearest_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
