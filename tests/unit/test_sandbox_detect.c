/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_detect.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "sandbox/sandbox.h"
#include "sandbox/sandbox_cause.h"

static const struct subid_case {
	const char *what, *text, *name;
	uid_t uid;
	bool found;
	uint32_t first, count;
} subid_cases[] = {
	{"empty", "", "ada", 1000, false, 0, 0},
	{"by name", "ada:100000:65536\n", "ada", 1000, true, 100000, 65536},
	{"by number", "1000:100000:65536\n", "ada", 1000, true, 100000, 65536},
	{"number, no name", "1000:100000:65536", NULL, 1000, true, 100000, 65536},
	{"no newline at the end", "ada:1:2", "ada", 1000, true, 1, 2},
	{"others only", "bob:100000:65536\n1001:1:9\n", "ada", 1000, false, 0, 0},
	{"name is a prefix", "adam:100000:65536\n", "ada", 1000, false, 0, 0},
	{"number is a prefix", "10001:100000:65536\n", "ada", 1000, false, 0, 0},
	{"among others", "bob:1:5\nada:200000:65536\nzoe:3:9\n", "ada", 1000, true, 200000, 65536},
	{"the longest wins", "ada:1000:10\nada:2000:30\nada:3000:20\n", "ada", 1, true, 2000, 30},
	{"the first of equals", "ada:1000:10\nada:2000:10\n", "ada", 1, true, 1000, 10},
	{"comments, blank lines", "# ids\n\n  \nada:7:8\n", "ada", 1000, true, 7, 8},
	{"too few fields", "ada:100000\n", "ada", 1000, false, 0, 0},
	{"too many fields", "ada:1:2:3\n", "ada", 1000, false, 0, 0},
	{"not a number", "ada:x:65536\nada:1:y\n", "ada", 1000, false, 0, 0},
	{"negative", "ada:-5:65536\n", "ada", 1000, false, 0, 0},
	{"empty fields", "ada::\n::\n", "ada", 1000, false, 0, 0},
	{"count 0", "ada:100000:0\n", "ada", 1000, false, 0, 0},
	{"beyond 32 bits", "ada:4294967290:65536\nada:99999999999:1\n", "ada", 1, false, 0, 0},
	{"up to 32 bits", "ada:4294901759:65536\n", "ada", 1, true, 4294901759U, 65536},
	{"empty owner is nobody", ":100000:65536\n", "ada", 1000, false, 0, 0},
};

static void test_subid(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(subid_cases); i++) {
		const struct subid_case *c = &subid_cases[i];
		struct sandbox_range range = {0, 0};
		bool found = sandbox_subid_find(c->text, c->name, c->uid, &range);

		if (found != c->found || range.first != c->first || range.count != c->count)
			fail_msg("%s: %d %u+%u", c->what, found, range.first, range.count);
	}
}

static void test_untouched_on_failure(void **state)
{
	struct sandbox_range range = {7, 8};

	(void)state;
	assert_false(sandbox_subid_find("bob:1:2\n", "ada", 1, &range));
	assert_int_equal(range.first, 7);
	assert_int_equal(range.count, 8);
}

static void test_map_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
	} cases[] = {
		{"", 0},
		{"         0          0 4294967295\n", 4294967295},
		{"         0       1000          1\n", 1},
		{"         0       1001          1\n         1     100000      65536\n", 65537},
		{"nonsense\n", 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(sandbox_map_size(cases[i].text), cases[i].size);
}

static void test_cure(void **state)
{
	CLEANUP(free_ptr) char *cure = sandbox_subid_cure("ada");

	(void)state;
	assert_string_equal(
		cure, "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ada");
}

static void test_cause(void **state)
{
	static const struct {
		struct sandbox_settings settings;
		int error, is_root;
		const char *why; /* a part of it */
	} cases[] = {
		{{15000, -1, -1}, EPERM, 0, "seccomp profile"},
		{{0, -1, -1}, ENOSPC, 0, "user.max_user_namespaces=0"},
		{{15000, 0, -1}, EPERM, 0, "kernel.unprivileged_userns_clone=0"},
		{{15000, 1, 1}, EACCES, 0, "AppArmor"},
		{{15000, 1, 1}, ENOSPC, 0, "nested too deep"},
		{{15000, 1, 0}, EPERM, 0, "seccomp profile"},
		{{15000, -1, -1}, ENOSPC, 0, "nested too deep"},
		{{-1, -1, -1}, EINVAL, 0, "built without"},
		{{0, 0, 1}, EPERM, 1, "CAP_SYS_ADMIN"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sandbox_cause cause =
			sandbox_cause_find(&cases[i].settings, cases[i].error, cases[i].is_root);

		if (!strstr(cause.why, cases[i].why) || !*cause.cure)
			fail_msg("%zu: %s (%s)", i, cause.why, cause.cure);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subid),    cmocka_unit_test(test_untouched_on_failure),
		cmocka_unit_test(test_map_size), cmocka_unit_test(test_cure),
		cmocka_unit_test(test_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
