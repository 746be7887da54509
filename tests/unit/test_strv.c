/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"

static void assert_joined(const struct strv *v, const char *expected)
{
	CLEANUP(free_ptr) char *joined = strv_join(v, ",");

	assert_string_equal(joined, expected);
	if (v->items)
		assert_null(v->items[v->count]);
}

static void adding(void **state)
{
	CLEANUP(strv_release) struct strv v = STRV_INIT;

	(void)state;
	assert_joined(&v, "");
	strv_add(&v, "a");
	strv_addf(&v, "b%d", 2);
	strv_take(&v, xstrdup("c"));
	assert_joined(&v, "a,b2,c");
	strv_extend(&v, &v);
	assert_joined(&v, "a,b2,c,a,b2,c");
	for (int i = 0; i < 100; i++) {
		strv_addf(&v, "%d", i);
		assert_null(v.items[v.count]);
	}
	assert_int_equal(v.count, 106);
	assert_true(strv_contains(&v, "99"));
	assert_false(strv_contains(&v, "100"));
	strv_release(&v);
	assert_int_equal(v.count, 0);
	assert_null(v.items);
	strv_release(NULL);
}

static void sorting_is_bytewise(void **state)
{
	static const char *const names[] = {"b", "a", "\xc3\xa4", "B", "", "ab", "a-"};
	CLEANUP(strv_release) struct strv v = STRV_INIT;

	(void)state;
	strv_sort(&v);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		strv_add(&v, names[i]);
	strv_sort(&v);
	assert_joined(&v, ",B,a,a-,ab,b,\xc3\xa4");
}

static void environment(void **state)
{
	CLEANUP(strv_release) struct strv v = STRV_INIT;

	(void)state;
	assert_null(strv_getenv(&v, "PATH"));
	strv_setenv(&v, "PATH", "/bin");
	strv_setenv(&v, "PATHS", "x=y");
	strv_setenv(&v, "PATH", "/usr/bin");
	strv_add(&v, "BARE");
	assert_joined(&v, "PATH=/usr/bin,PATHS=x=y,BARE");
	assert_string_equal(strv_getenv(&v, "PATH"), "/usr/bin");
	assert_string_equal(strv_getenv(&v, "PATHS"), "x=y");
	assert_null(strv_getenv(&v, "PAT"));
	assert_null(strv_getenv(&v, "BARE"));
	strv_setenv(&v, "EMPTY", "");
	assert_string_equal(strv_getenv(&v, "EMPTY"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adding),
		cmocka_unit_test(sorting_is_bytewise),
		cmocka_unit_test(environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
