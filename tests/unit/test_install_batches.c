/* SPDX-License-Identifier: Apache-2.0
 * Which packages go to dpkg together. */
#include "build/install_batches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

struct package {
	const char *name;
	bool essential;
	const char *pre_depends;
};

static const struct {
	struct package packages[6];
	const char *batches; /* joined with "|" */
} cases[] = {
	{{{NULL, false, NULL}}, ""},
	{{{"a", false, ""}, {"b", false, ""}}, "|a.deb b.deb"},
	{{{"libc6", true, ""}, {"dpkg", true, ""}, {"a", false, "dpkg (>= 1.19)"}},
	 "libc6.deb dpkg.deb|a.deb"},
	{{{"a", false, ""}, {"b", false, "a (>= 1), c"}, {"c", false, ""}}, "|a.deb|b.deb c.deb"},
	{{{"a", false, ""}, {"b", false, "aa | x:any"}, {"c", false, "z | b:any"}},
	 "|a.deb b.deb|c.deb"},
	{{{"a", false, ""}, {"b", false, "c (= a)"}}, "|a.deb b.deb"},
	{{{"a", false, ""}, {"b", false, "a"}, {"c", false, "b"}, {"d", false, "a"}},
	 "|a.deb|b.deb|c.deb d.deb"},
};

static void test_batches(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(strv_release) struct strv out = STRV_INIT;
		CLEANUP(free_ptr) char *joined = NULL;
		struct install_batches batches;

		install_batches_begin(&batches, &out);
		for (j = 0; j < 6 && cases[i].packages[j].name; j++) {
			const struct package *package = &cases[i].packages[j];
			CLEANUP(free_ptr)
			char *from = xasprintf("debian:pool/%s.deb", package->name);
			CLEANUP(free_ptr) char *name = xstrdup(package->name);
			struct lock_artifact artifact = {.name = name, .from = from};

			install_batches_add(&batches, &artifact, package->essential,
					    package->pre_depends);
		}
		install_batches_end(&batches);
		joined = strv_join(&out, "|");
		assert_string_equal(joined, cases[i].batches);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_batches)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
