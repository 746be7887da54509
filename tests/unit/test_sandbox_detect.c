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

static void test_cure(void **state)
{
	CLEANUP(free_ptr) char *cure = sandbox_subid_cure("ada", 165536);

	(void)state;
	assert_string_equal(
		cure, "sudo usermod --add-subuids 165536-231071 --add-subgids 165536-231071 ada");
}

static void test_first_free(void **state)
{
	static const struct {
		const char *text;
		uint32_t first;
	} cases[] = {
		{"", 100000},
		{"ada:1:5\n", 100000},
		{"ada:100000:65536\n", 165536},
		{"bob:200000:65536\nada:100000:65536\n", 265536},
		{"nonsense\nada:x:5\nada:4294967295:65536\n", 100000},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(sandbox_subid_free(cases[i].text), cases[i].first);
}

static void test_cause(void **state)
{
	static const struct {
		struct sandbox_settings settings;
		int error, is_root;
		const char *why, *cure; /* a part of each */
	} cases[] = {
		{{15000, -1, -1, 2, false, 0}, EPERM, 0, "seccomp profile", "seccomp=unconfined"},
		{{0, -1, -1, 0, false, 0}, ENOSPC, 0, "max_user_namespaces=0", "sudo sysctl"},
		{{15000, 0, -1, 0, false, 0}, EPERM, 0, "userns_clone=0", "userns_clone=1"},
		{{15000, 1, 1, 0, false, 0}, EACCES, 0, "AppArmor", "--apparmor-profile"},
		{{15000, 1, 1, 0, false, 0}, ENOSPC, 0, "nested too deep", "max_user_namespaces"},
		{{15000, 1, 0, 2, false, 0}, EPERM, 0, "seccomp profile", "seccomp=unconfined"},
		{{15000, -1, -1, 0, false, 0}, ENOSPC, 0, "nested too deep", "outside"},
		{{15000, -1, -1, 0, false, 0}, EUSERS, 0, "nested too deep", "outside"},
		{{-1, -1, -1, 0, false, 0}, EINVAL, 0, "built without", "CONFIG_USER_NS"},
		{{-1, -1, -1, 2, false, 0}, ENOSYS, 0, "built without", "CONFIG_USER_NS"},
		{{15000, -1, -1, 2, false, SANDBOX_DOCKER}, EPERM, 0, "container", "docker run"},
		{{15000, -1, -1, 2, false, SANDBOX_PODMAN}, EPERM, 0, "container", "podman run"},
		{{15000, -1, -1, 2, false, SANDBOX_KUBERNETES}, EPERM, 0, "container", "procMount"},
		/* AppArmor of the host counts in a container, too. */
		{{15000, -1, 1, 2, false, SANDBOX_DOCKER}, EACCES, 0, "AppArmor", "profile"},
		{{15000, -1, -1, 0, true, 0}, EPERM, 0, "chroot", "pivot_root"},
		{{15000, -1, -1, 0, false, 0}, EPERM, 0, "security module", "policy"},
		{{15000, -1, -1, 0, false, 0}, EIO, 0, "refuses a user namespace", "root"},
		{{15000, -1, -1, 0, false, 0}, -1, 0, "refuses a user namespace", "root"},
		{{0, 0, 1, 0, false, 0}, EPERM, 1, "CAP_SYS_ADMIN", "CAP_SYS_ADMIN"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sandbox_cause cause =
			sandbox_cause_find(&cases[i].settings, cases[i].error, cases[i].is_root);

		if (!strstr(cause.why, cases[i].why) || !strstr(cause.cure, cases[i].cure))
			fail_msg("%zu: %s (%s)", i, cause.why, cause.cure);
	}
}

static void test_cause_of_bwrap(void **state)
{
	static const char proc[] =
		"bwrap: Can't mount proc on /newroot/proc: Operation not permitted";
	static const struct {
		long container;
		const char *text, *cure; /* a part of it */
	} cases[] = {
		{SANDBOX_NO_CONTAINER, proc, "without masks"},
		{SANDBOX_DOCKER, proc, "systempaths=unconfined"},
		{SANDBOX_PODMAN, proc, "unmask=ALL"},
		{SANDBOX_KUBERNETES, proc, "procMount"},
		{SANDBOX_NO_CONTAINER, "bwrap: Creating new namespace failed",
		 "seccomp=unconfined"},
		{SANDBOX_PODMAN, "bwrap: pivot_root: Operation not permitted", "podman run"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sandbox_settings settings = {15000, -1, -1, 2, false, cases[i].container};
		const char *cure = sandbox_cause_of_bwrap(&settings, cases[i].text);

		if (!strstr(cure, cases[i].cure))
			fail_msg("%zu: %s", i, cure);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subid), cmocka_unit_test(test_untouched_on_failure),
		cmocka_unit_test(test_cure),  cmocka_unit_test(test_first_free),
		cmocka_unit_test(test_cause), cmocka_unit_test(test_cause_of_bwrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
