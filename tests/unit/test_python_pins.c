/* SPDX-License-Identifier: Apache-2.0
 * What the resolver says, and files of requirements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/python_pins.h"

static char *told(const struct python_pins *pins)
{
	struct buf out = BUF_INIT;
	size_t i;

	for (i = 0; i < pins->count; i++)
		buf_addf(&out, "%s %s;", pins->items[i].project, pins->items[i].version);
	return buf_steal(&out);
}

static void test_compiled(void **state)
{
	static const struct {
		const char *text, *pins; /* NULL: refused */
	} rows[] = {
		{"b==1\nA.b==2.0+cu1\n    # via c\n# end\n", "a-b 2.0+cu1;b 1;"},
		{"x[y,z]==1.0 ; python_version < '3.12'\n", "x 1.0;"},
		{"x==1 \\\n    --hash=sha256:00\n", "x 1;"},
		{"", ""},
		{"x @ https://files.example.org/x.whl\n", NULL},
		{"-e ./x\n", NULL},
		{"x>=1\n", NULL},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(python_pins_release) struct python_pins pins = {0};
		CLEANUP(free_ptr) char *text = NULL;
		struct varve_error err = {0};
		int r = python_pins_parse(rows[i].text, &pins, &err);

		assert_int_equal(r, rows[i].pins ? 0 : -VARVE_E_RESOLVE);
		text = told(&pins);
		assert_string_equal(text, rows[i].pins ? rows[i].pins : "");
	}
}

static void test_dry_run(void **state)
{
	static const char text[] = "warning: experimental\nWould download 2 packages\n"
				   "Would install 2 packages\n + b==2\n + a==1\n";
	CLEANUP(python_pins_release) struct python_pins pins = {0};
	CLEANUP(free_ptr) char *list = NULL;

	(void)state;
	assert_int_equal(python_pins_parse_dry_run(text, &pins, NULL), 0);
	list = told(&pins);
	assert_string_equal(list, "a 1;b 2;");
	assert_int_equal(python_pins_parse_dry_run(" + a==1 (from file:///x@y)\n", &pins, NULL),
			 -VARVE_E_RESOLVE);
}

static void test_files(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{"# comment\n\na==1\nb[x]>=2 ; sys_platform == 'linux' # why\n", true},
		{"a==1 \\\n  --hash=sha256:00 \\\n  --hash=sha256:11\n", true},
		{"a==1 \\\r\n  --hash=sha256:00\r\n", true},
		{"", true},
		{"-r other.txt\n", false},
		{"--index-url http://x\n", false},
		{"a --index-url=x\n", false},
		{"a==1 \\\n  --hash=md5:00\n", false},
		{"a==1 \\\n --extra-index-url http://x\n", false},
		{"a @ http://files.example.org/a.whl\n", false},
		{"./a.whl\n", false},
		{"-e .\n", false},
		{"http://files.example.org/a.whl\n", false},
		{"# fine\n  -c x\n", false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct varve_error err = {0};
		int r = python_requirements_check(rows[i].text, "r.txt", &err);

		if ((r == 0) != rows[i].good)
			fail_msg("%s: %d %s", rows[i].text, r, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_compiled),
					   cmocka_unit_test(test_dry_run),
					   cmocka_unit_test(test_files)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("python_pins", tests, NULL, NULL);
}
