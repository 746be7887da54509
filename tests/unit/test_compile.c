/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "build/compile.h"

static void test_status(void **state)
{
	static const struct {
		const char *line;
		bool is;
		uint64_t done, total;
	} cases[] = {
		{"[12/85] nvcc -c x.cu", true, 12, 85},
		{"[85/85] g++", true, 85, 85},
		{"[0/3] x", true, 0, 3},
		{"[4/3] x", false, 0, 0},
		{"[1/0] x", false, 0, 0},
		{"[1/3]x", false, 0, 0},
		{"[/3] x", false, 0, 0},
		{"[1/] x", false, 0, 0},
		{" [1/3] x", false, 0, 0},
		{"[1 / 3] x", false, 0, 0},
		{"", false, 0, 0},
		{"[", false, 0, 0},
		{"[1", false, 0, 0},
		{"[-1/3] x", false, 0, 0},
		{"[1/9999999999] x", false, 0, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t done = 7, total = 7;

		assert_int_equal(compile_parse_status(cases[i].line, &done, &total), cases[i].is);
		assert_int_equal(done, cases[i].is ? cases[i].done : 7);
		assert_int_equal(total, cases[i].is ? cases[i].total : 7);
	}
}

static void test_kills(void **state)
{
	(void)state;
	assert_true(compile_tells_kill("nvcc error   : 'cicc' died due to signal 9 (Kill signal)"));
	assert_true(
		compile_tells_kill("g++: fatal error: Killed signal terminated program cc1plus"));
	assert_true(compile_tells_kill("sh: line 1:    12 Killed"));
	assert_false(compile_tells_kill("Killed jobs: 0"));
	assert_false(compile_tells_kill("error: expected ';'"));
	assert_false(compile_tells_kill(""));
}

static void test_fitting(void **state)
{
	static const struct {
		uint64_t peak, largest, jobs, fitting;
	} cases[] = {
		{12, 6, 3, 2}, {12, 6, 2, 1}, {13, 6, 12, 2}, {5, 5, 1, 0},
		{0, 0, 4, 1},  {0, 0, 1, 0},  {12, 6, 0, 2},  {0, 0, 0, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct compile compile = {.peak = cases[i].peak, .largest = cases[i].largest};

		assert_int_equal(compile_fitting_jobs(&compile, cases[i].jobs), cases[i].fitting);
	}
}

static void test_explain(void **state)
{
	struct compile compile = {.peak = 12900000000, .largest = 6400000000, .kills = 4};
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	(void)state;
	compile_explain(&compile, 4, 3, &text);
	assert_int_equal(text.len, 0);
	compile_explain(&compile, 5, 3, &text);
	assert_string_equal(buf_text(&text),
			    "memory ran out: the kernel killed a process; one job had up to 6.4 "
			    "GB, all together 12.9 GB; at most 2 jobs would have fitted");
}

static void test_sample(void **state)
{
	struct compile compile = {0};

	(void)state;
	assert_true(compile_sample(&compile, getpid()));
	assert_true(compile.memory > 100000 && compile.largest <= compile.peak);
	assert_false(compile_sample(&compile, getpid())); /* too soon */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),  cmocka_unit_test(test_kills),
		cmocka_unit_test(test_fitting), cmocka_unit_test(test_explain),
		cmocka_unit_test(test_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
