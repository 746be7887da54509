/* SPDX-License-Identifier: Apache-2.0
 * Names of wheels: which runs where, and which of several is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/python_name.h"

static const struct python_target target = {.minor = 11, .machine = "x86_64", .glibc = 28};

static void test_project(void **state)
{
	static const char *const rows[][2] = {
		{"Foo.Bar_baz", "foo-bar-baz"}, {"a--b__c", "a-b-c"}, {"numpy", "numpy"}, {"", ""}};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_ptr) char *name = python_project(rows[i][0]);

		assert_string_equal(name, rows[i][1]);
	}
}

/* Best first: each suits, and better than the one after it. */
static void test_order(void **state)
{
	static const char *const rows[] = {
		"a-1-cp311-cp311-manylinux_2_28_x86_64.whl",
		"a-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
		"a-1-cp310.cp311-cp310.cp311-manylinux2010_x86_64.whl",
		"a-1-cp311-cp311-linux_x86_64.whl",
		"a-1-cp311-abi3-manylinux_2_28_x86_64.whl",
		"a-1-cp311-none-manylinux_2_28_x86_64.whl",
		"a-1-cp310-abi3-manylinux_2_28_x86_64.whl",
		"a-1-cp37-abi3-manylinux_2_28_x86_64.whl",
		"a-1-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
		"a-1-cp311-none-any.whl",
		"a-1-2build-py2.py3-none-any.whl",
	};
	size_t i;
	int before = -1;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int rank = python_rank(rows[i], &target);

		if (rank <= before)
			fail_msg("%s: %d after %d", rows[i], rank, before);
		before = rank;
	}
}

static void test_refused(void **state)
{
	static const char *const rows[] = {
		"a-1-cp312-cp312-manylinux_2_28_x86_64.whl",
		"a-1-cp312-abi3-manylinux_2_28_x86_64.whl",
		"a-1-cp311-cp311-manylinux_2_34_x86_64.whl",
		"a-1-cp311-cp311-manylinux_2_28_aarch64.whl",
		"a-1-cp311-cp311-musllinux_1_2_x86_64.whl",
		"a-1-cp311-cp311-win_amd64.whl",
		"a-1-cp311-cp311-macosx_11_0_arm64.whl",
		"a-1-cp311-cp311t-manylinux_2_28_x86_64.whl",
		"a-1-pp311-pypy311_pp73-manylinux_2_28_x86_64.whl",
		"a-1-cp311-cp311-manylinux_2_28_x86_64x.whl",
		"a-1-cp311-cp311-manylinux_2__x86_64.whl",
		"a-1-cp311-cp311-manylinux_2_-5_x86_64.whl",
		"a-1-py2-none-any.whl",
		"a-1-py312-none-any.whl",
		"a-1-py3-none.whl",
		"a-1.tar.gz",
		"",
		".whl",
		"-----.whl",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (python_rank(rows[i], &target) >= 0)
			fail_msg("%s is taken", rows[i]);
}

static void test_split(void **state)
{
	static const struct {
		const char *file, *project, *version; /* project NULL: neither wheel nor sdist */
	} rows[] = {
		{"torch-2.7.1+cu126-cp311-cp311-linux_x86_64.whl", "torch", "2.7.1+cu126"},
		{"Flask_Cors-3.0-1-py3-none-any.whl", "flask-cors", "3.0"},
		{"flash_attn-2.7.4.post1.tar.gz", "flash-attn", "2.7.4.post1"},
		{"ruamel.yaml-0.17.zip", "ruamel-yaml", "0.17"},
		{"a-b-1.0.tar.gz", "a-b", "1.0"},
		{"a.tar.gz", NULL, NULL},
		{"-1.tar.gz", NULL, NULL},
		{"a-1.exe", NULL, NULL},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_ptr) char *project = NULL;
		CLEANUP(free_ptr) char *version = NULL;

		assert_int_equal(python_split(rows[i].file, &project, &version),
				 rows[i].project != NULL);
		if (!rows[i].project)
			continue;
		assert_string_equal(project, rows[i].project);
		assert_string_equal(version, rows[i].version);
	}
}

static void test_versions(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"1.0", "1.0", true},
		{"2019.03", "2019.3", true},
		{"1.0.RC1", "1.0rc1", true},
		{"1.0-rc.1", "1.0rc1", true},
		{"1.0", "1.0.0", true},
		{"v1.2", "1.2", true},
		{"1.0.post1", "1.0post1", true},
		{"2.7.1+cu126", "2.7.1+CU126", true},
		{"1.0", "1.1", false},
		{"1.0", "10", false},
		{"1.10", "1.1", false},
		{"2.7.1+cu126", "2.7.1", false},
		{"1.0a1", "1.0", false},
		{"1.0.dev0", "1.0", false},
	};
	static const char *const finals[] = {"1", "0.13.9", "1.0.post1", "2.7.1+cu126"};
	static const char *const others[] = {"1a1", "1.0rc1", "1.0.dev3", "1b2", "", "x"};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (python_same_version(rows[i].a, rows[i].b) != rows[i].same)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
	for (i = 0; i < ARRAY_SIZE(finals); i++)
		assert_true(python_is_final(finals[i]));
	for (i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(python_is_final(others[i]));
	assert_true(python_compare_versions("0.9.9", "0.10.0") < 0);
	assert_true(python_compare_versions("1.0", "1") == 0);
	assert_true(python_compare_versions("0.13.9", "0.13.8") > 0);
}

static void test_architecture(void **state)
{
	static const char *const rows[][2] = {
		{"a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "x86_64"},
		{"a-1-py3-none-any.whl", "any"},
		{"a-1.tar.gz", "source"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_ptr) char *machine = python_architecture(rows[i][0]);

		assert_string_equal(machine, rows[i][1]);
	}
	assert_string_equal(python_machine("linux/arm64"), "aarch64");
	assert_null(python_machine("linux/vax"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_project),  cmocka_unit_test(test_order),
		cmocka_unit_test(test_refused),  cmocka_unit_test(test_split),
		cmocka_unit_test(test_versions), cmocka_unit_test(test_architecture),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("python_name", tests, NULL, NULL);
}
