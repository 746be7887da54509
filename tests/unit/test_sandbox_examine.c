/* SPDX-License-Identifier: Apache-2.0
 * The rows of varve doctor: they come on every host, whatever it can do. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/fd.h"
#include "sandbox/sandbox.h"

static const char *const names[] = {
	"user namespaces", "id ranges",        "file owners",         "overlay",
	"bubblewrap",      "seccomp listener", "store's file system", "free space"};
enum { ROWS = sizeof(names) / sizeof(names[0]) };

static bool examine(struct sandbox_finding findings[SANDBOX_FINDINGS])
{
	char path[] = "/tmp/varve-examine-XXXXXX";
	int fd;
	size_t count;

	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	count = sandbox_examine(fd, findings);
	fd_close(&fd);
	assert_int_equal(count, ROWS);
	/* Nothing of a try stays in the store. */
	return rmdir(path) == 0;
}

static void test_rows(void **state)
{
	struct sandbox_finding findings[SANDBOX_FINDINGS] = {0};
	size_t i;

	(void)state;
	assert_true(examine(findings));
	for (i = 0; i < ROWS; i++) {
		print_message("# %-20s %d %s%s%s\n", findings[i].name, findings[i].verdict,
			      findings[i].detail, *findings[i].cure ? " | " : "", findings[i].cure);
		assert_string_equal(findings[i].name, names[i]);
		assert_true(*findings[i].detail);
		if (findings[i].verdict == SANDBOX_OK)
			assert_string_equal(findings[i].cure, "");
	}
}

/* What sandbox_detect accepts has no row that says it is missing, and the reverse. */
static void test_agrees_with_detect(void **state)
{
	struct sandbox_finding findings[SANDBOX_FINDINGS] = {0};
	struct sandbox_host host = {0};
	struct varve_error err = {0};
	size_t i, missing = 0;

	(void)state;
	assert_true(examine(findings));
	for (i = 0; i < ROWS; i++)
		missing += findings[i].verdict == SANDBOX_MISSING;
	if (sandbox_detect(&host, &err) < 0) {
		assert_true(missing > 0 && *err.text);
		return;
	}
	sandbox_host_release(&host);
	/* A container may forbid what sandbox_detect cannot see without a try. */
	if (missing > 0)
		print_message("# %zu rows say that something is missing\n", missing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_agrees_with_detect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
