/* SPDX-License-Identifier: Apache-2.0 */
#include "base/capacity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"

#define GB (UINT64_C(1) << 30)

static void test_jobs(void **state)
{
	static const struct {
		unsigned cores;
		uint64_t memory, per_job;
		int64_t jobs;
	} rows[] = {
		{2, 24 * GB, 7 * GB, 2}, {16, 24 * GB, 7 * GB, 3}, {16, 21 * GB, 7 * GB, 3},
		{16, 6 * GB, 7 * GB, 1}, {16, 0, 7 * GB, 16},      {16, 24 * GB, 0, 16},
		{64, UINT64_MAX, 1, 64},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(capacity_jobs(rows[i].cores, rows[i].memory, rows[i].per_job),
				 rows[i].jobs);
}

static void test_meminfo(void **state)
{
	(void)state;
	assert_int_equal(
		capacity_meminfo("MemTotal: 9 kB\nMemFree:  1 kB\nMemAvailable:   1234 kB\n"),
		1234 * 1024);
	assert_int_equal(capacity_meminfo("MemTotal: 9 kB\n"), 0);
	assert_int_equal(capacity_meminfo(""), 0);
}

static void test_here(void **state)
{
	(void)state;
	assert_true(capacity_cores() >= 1);
	assert_true(capacity_memory() > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_meminfo),
		cmocka_unit_test(test_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
