/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <varve/error.h>

static void codes_and_texts(void **state)
{
	struct varve_error err = {.code = 0};

	(void)state;
	assert_int_equal(varve_error_set(&err, -ENOENT, "open %s", "x"), -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.text, "open x: No such file or directory");
	assert_int_equal(varve_error_set(&err, -VARVE_E_LIMIT, "too %s", "large"), -VARVE_E_LIMIT);
	assert_string_equal(err.text, "too large");
	assert_int_equal(err.code, -VARVE_E_LIMIT);
}

static void without_an_error_only_the_code(void **state)
{
	(void)state;
	assert_int_equal(varve_error_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(varve_error_at(NULL, "f", 1, 2, "x"), -VARVE_E_RECIPE);
	varve_error_prefix(NULL, "x");
	varve_error_hint(NULL, "x");
}

static void places(void **state)
{
	struct varve_error err = {.code = 0};

	(void)state;
	assert_int_equal(varve_error_at(&err, "r.yaml", 3, 14, "unknown key %s", "k"),
			 -VARVE_E_RECIPE);
	assert_string_equal(err.text, "r.yaml:3:14: unknown key k");
	assert_int_equal(err.line, 3);
	assert_int_equal(err.column, 14);
	(void)varve_error_set(&err, -VARVE_E_LOCK, "x");
	assert_int_equal(err.line, 0);
	assert_int_equal(err.column, 0);
}

static void context_and_advice(void **state)
{
	struct varve_error err = {.code = 0};

	(void)state;
	(void)varve_error_set(&err, -EACCES, "open f");
	varve_error_prefix(&err, "step %d", 3);
	varve_error_hint(&err, "try %s", "sudo");
	assert_string_equal(err.text, "step 3: open f: Permission denied\ntry sudo");
	assert_int_equal(err.code, -EACCES);
}

static void arguments_may_be_the_text_itself(void **state)
{
	struct varve_error err = {.code = 0};

	(void)state;
	(void)varve_error_set(&err, -VARVE_E_STEP, "inner");
	(void)varve_error_set(&err, -VARVE_E_STEP, "outer(%s)", err.text);
	assert_string_equal(err.text, "outer(inner)");
	varve_error_prefix(&err, "[%s]", err.text);
	assert_string_equal(err.text, "[outer(inner)]: outer(inner)");
}

static void long_texts_are_cut(void **state)
{
	struct varve_error err = {.code = 0};
	char text[3 * VARVE_ERROR_TEXT];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(varve_error_set(&err, -ENOENT, "%s", text), -ENOENT);
	assert_int_equal(strlen(err.text), VARVE_ERROR_TEXT - 1);
	varve_error_hint(&err, "more");
	assert_int_equal(strlen(err.text), VARVE_ERROR_TEXT - 1);
	varve_error_prefix(&err, "front");
	assert_int_equal(strlen(err.text), VARVE_ERROR_TEXT - 1);
	assert_memory_equal(err.text, "front: xxx", 10);
	/* Cut inside of the part that is appended. */
	text[VARVE_ERROR_TEXT - 8] = '\0';
	(void)varve_error_set(&err, -ENOENT, "%s", text);
	assert_string_equal(err.text + VARVE_ERROR_TEXT - 8, ": No su");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_and_texts),
		cmocka_unit_test(without_an_error_only_the_code),
		cmocka_unit_test(places),
		cmocka_unit_test(context_and_advice),
		cmocka_unit_test(arguments_may_be_the_text_itself),
		cmocka_unit_test(long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
