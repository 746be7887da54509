/* SPDX-License-Identifier: Apache-2.0
 * Changes of ids by the rules of setresuid(2) and its kin, and their way through fork and exec. */
#include "sandbox/supervise_ids.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/cleanup.h"

enum { K = -1 };

/* call: the number of arguments, as setuid, setreuid, setresuid have. */
static const struct change_case {
	int call;
	bool privileged;
	struct ids_set before;
	uint32_t args[3];
	int result;
	struct ids_set after;
} change_cases[] = {
	{1, true, {0, 0, 0, 0}, {5}, 0, {5, 5, 5, 5}},
	{1, false, {5, 6, 7, 6}, {7}, 0, {5, 7, 7, 7}},
	{1, false, {5, 6, 7, 6}, {5}, 0, {5, 5, 7, 5}},
	{1, false, {5, 6, 7, 6}, {6}, -EPERM, {5, 6, 7, 6}},
	{1, false, {5, 5, 5, 5}, {0}, -EPERM, {5, 5, 5, 5}},
	{2, true, {0, 0, 0, 0}, {5, 6}, 0, {5, 6, 6, 6}},
	{2, true, {0, 0, 0, 0}, {(uint32_t)K, 6}, 0, {0, 6, 6, 6}},
	{2, false, {5, 6, 7, 6}, {6, 5}, 0, {6, 5, 5, 5}},
	{2, false, {5, 6, 7, 6}, {(uint32_t)K, 7}, 0, {5, 7, 7, 7}},
	{2, false, {5, 6, 7, 6}, {(uint32_t)K, 5}, 0, {5, 5, 7, 5}},
	{2, false, {5, 6, 7, 6}, {7, (uint32_t)K}, -EPERM, {5, 6, 7, 6}},
	{2, false, {5, 6, 7, 6}, {(uint32_t)K, 8}, -EPERM, {5, 6, 7, 6}},
	{3, true, {0, 0, 0, 0}, {1, 2, 3}, 0, {1, 2, 3, 2}},
	{3, true, {0, 0, 0, 0}, {(uint32_t)K, 2, (uint32_t)K}, 0, {0, 2, 0, 2}},
	{3, false, {1, 2, 3, 2}, {3, 1, 2}, 0, {3, 1, 2, 1}},
	{3, false, {1, 2, 3, 2}, {(uint32_t)K, (uint32_t)K, (uint32_t)K}, 0, {1, 2, 3, 2}},
	{3, false, {1, 2, 3, 2}, {1, 2, 4}, -EPERM, {1, 2, 3, 2}},
};

static void changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(change_cases); i++) {
		const struct change_case *c = &change_cases[i];
		struct ids_set set = c->before;
		int r = c->call == 1   ? ids_set_one(&set, c->args[0], c->privileged)
			: c->call == 2 ? ids_set_two(&set, c->args[0], c->args[1], c->privileged)
				       : ids_set_three(&set, c->args, c->privileged);

		if (r != c->result || set.real != c->after.real ||
		    set.effective != c->after.effective || set.saved != c->after.saved ||
		    set.file != c->after.file)
			fail_msg("row %zu: %d, %u %u %u %u", i, r, set.real, set.effective,
				 set.saved, set.file);
	}
}

static void processes(void **state)
{
	struct ids ids = {
		.of = {{5, 5, 5, 5}, {6, 6, 6, 6}}, .groups = (uint32_t[]){7, 8}, .group_count = 2};
	CLEANUP(ids_table_release) struct ids_table table = {0};
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(ids_of(&table, getpid())->of[IDS_USER].real, 0);
	pid = fork();
	if (pid == 0) {
		if (ids_change(&table, getpid(), &ids) < 0 ||
		    ids_of(&table, getpid())->of[IDS_USER].real != 5)
			_exit(1);
		pid = fork();
		if (pid == 0)
			_exit(ids_in_group(ids_of(&table, getpid()), 8) &&
					      !ids_in_group(ids_of(&table, getpid()), 9)
				      ? 0
				      : 2);
		(void)waitpid(pid, &status, 0);
		/* The same set again is no new one. */
		if (ids_change(&table, getpid(), &ids) < 0 || table.count != 1)
			_exit(3);
		_exit(WEXITSTATUS(status));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes),
		cmocka_unit_test(processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
