/* SPDX-License-Identifier: Apache-2.0
 * Which step gets its turn first. */
#include "build/build_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { STEPS = 5 };

static const struct {
	const char *steps; /* r: a run; i: an install of a wheel; p: a further layer of it */
	uint64_t sizes[STEPS]; /* bytes of the wheels */
	int order[STEPS];
} cases[] = {
	{"rrrrr", {0}, {0, 1, 2, 3, 4}},
	{"iiiii", {1, 2, 3, 4, 5}, {0, 1, 2, 3, 4}},
	{"rippp", {0, 1, 2, 4, 3}, {0, 3, 4, 2, 1}},
	{"ippri", {3, 3, 3, 0, 9}, {0, 1, 2, 3, 4}},
	{"ipipr", {1, 2, 3, 4, 0}, {1, 0, 3, 2, 4}},
};

static void fill(struct plan_step *step, char kind, char *name)
{
	*step = (struct plan_step){.action = kind == 'r' ? ACTION_RUN : ACTION_INSTALL,
				   .part = kind == 'p'};
	strv_add(&step->wheels, name);
}

static void test_order(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		static char names[STEPS][2] = {"a", "b", "c", "d", "e"};
		struct lock_artifact artifacts[STEPS] = {0};
		struct lock_source locked = {.artifacts = artifacts, .count = STEPS};
		struct plan_source source = {.kind = SOURCE_PYTHON, .locked = &locked};
		CLEANUP(free_ptr) struct plan_step *steps = xcalloc(STEPS, sizeof(*steps));
		struct plan plan = {.steps = steps, .step_count = STEPS};
		CLEANUP(free_ptr) int *order = NULL;

		plan.sources.items = &source;
		plan.sources.count = 1;
		for (j = 0; j < STEPS; j++) {
			artifacts[j] =
				(struct lock_artifact){.name = names[j], .size = cases[i].sizes[j]};
			fill(&steps[j], cases[i].steps[j], names[j]);
		}
		order = build_order(&plan);
		assert_memory_equal(order, cases[i].order, sizeof(cases[i].order));
		for (j = 0; j < STEPS; j++)
			strv_release(&steps[j].wheels);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
