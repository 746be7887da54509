/* SPDX-License-Identifier: Apache-2.0
 * What a step waits for, and its key while that is not known yet. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "plan_fixture.h"

static const char recipe[] = "varve: 1\n"
			     "name: t\n"
			     "sources:\n"
			     "  src: {kind: local, path: src}\n"
			     "stages:\n"
			     "  tools:\n"
			     "    steps:\n"
			     "      - {step: make, run: make tools}\n"
			     "  app:\n"
			     "    steps:\n"
			     "      - {step: system, run: make system}\n"
			     "      - {step: run, mounts: {/tools: \"tools:/bin\"}, run: make}\n"
			     "      - {step: code, copy: src, to: /opt/app}\n"
			     "      - {step: bin, copy: \"tools:/bin\", to: /opt/bin}\n"
			     "images:\n"
			     "  app: {stage: app, name: \"t:1\"}\n";

static void compile(struct plan_fixture *f)
{
	struct strv settings = STRV_INIT;
	struct plan_options options = {.platform = "linux/amd64", .epoch = -1};
	struct varve_error err = {0};

	if (fixture_compile(f, recipe, &settings, &options, true, &err) < 0)
		fail_msg("%s", err.text);
}

static int unknown_of(const char *step, const char *forgotten, bool forget_destination)
{
	CLEANUP(plan_fixture_release) struct plan_fixture f = {0};
	CLEANUP(json_decrefp) json_t *input = NULL;
	struct plan_known *known;
	int unknown = PLAN_NONE, index, r;

	compile(&f);
	known = fixture_known(f.plan);
	index = plan_find_step(f.plan, step, NULL);
	if (forgotten)
		known[plan_find_step(f.plan, forgotten, NULL)].known = false;
	if (forget_destination) {
		free(known[index].destination);
		known[index].destination = NULL;
	}
	r = plan_input(f.plan, index, known, &input, &unknown);
	assert_int_equal(r, unknown == PLAN_NONE ? 0 : -EAGAIN);
	if (forgotten && unknown == plan_find_step(f.plan, forgotten, NULL))
		unknown = 1000;
	else if (unknown == index)
		unknown = 2000;
	fixture_forget(known, f.plan->step_count);
	return unknown;
}

static void test_unknown(void **state)
{
	static const struct {
		const char *step, *forgotten;
		bool destination;
		int want; /* 1000: the forgotten step; 2000: the step itself */
	} rows[] = {
		{"system", NULL, false, PLAN_NONE}, {"run", "system", false, 1000},
		{"run", "make", false, 1000},       {"code", "system", false, PLAN_NONE},
		{"code", "system", true, 1000},     {"code", NULL, true, 2000},
		{"bin", "make", false, 1000},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(unknown_of(rows[i].step, rows[i].forgotten, rows[i].destination),
				 rows[i].want);
}

static void test_chain(void **state)
{
	CLEANUP(plan_fixture_release) struct plan_fixture f = {0};
	struct varve_digest chain[8];
	struct plan_known *known;
	int unknown = PLAN_NONE, run, code, system;

	(void)state;
	compile(&f);
	known = fixture_known(f.plan);
	system = plan_find_step(f.plan, "system", NULL);
	run = plan_find_step(f.plan, "run", NULL);
	code = plan_find_step(f.plan, "code", NULL);
	assert_int_equal(plan_chain(f.plan, PLAN_NONE, known, chain, &unknown), 0);
	assert_int_equal(plan_chain(f.plan, code, known, chain, &unknown), 3);
	assert_true(varve_digest_equal(&chain[0], &known[system].layers.items[0].diff_id));
	assert_true(varve_digest_equal(&chain[2], &known[code].layers.items[0].diff_id));
	layer_list_release(&known[run].layers);
	assert_int_equal(plan_chain(f.plan, code, known, chain, &unknown), 2);
	assert_true(varve_digest_equal(&chain[1], &known[code].layers.items[0].diff_id));
	known[system].known = known[run].known = false;
	assert_int_equal(plan_chain(f.plan, code, known, chain, &unknown), -EAGAIN);
	assert_int_equal(unknown, system);
	fixture_forget(known, f.plan->step_count);
}

static void test_needs(void **state)
{
	CLEANUP(plan_fixture_release) struct plan_fixture f = {0};
	int needs[8], run;

	(void)state;
	compile(&f);
	run = plan_find_step(f.plan, "run", NULL);
	assert_int_equal(plan_needs(f.plan, plan_find_step(f.plan, "make", NULL), needs, 8), 0);
	assert_int_equal(plan_needs(f.plan, run, needs, 8), 2);
	assert_true(plan_waits_for(f.plan, run, needs[0]));
	assert_true(plan_waits_for(f.plan, run, needs[1]));
	assert_false(plan_waits_for(f.plan, run, run));
	assert_false(plan_waits_for(f.plan, plan_find_step(f.plan, "make", NULL), run));
	assert_int_equal(needs[0], plan_find_step(f.plan, "system", NULL));
	assert_int_equal(needs[1], plan_find_step(f.plan, "make", NULL));
	assert_int_equal(plan_needs(f.plan, plan_find_step(f.plan, "bin", NULL), needs, 1), 1);
	assert_true(plan_needs_room(f.plan, run) >= 2);
}

static void test_ready(void **state)
{
	CLEANUP(plan_fixture_release) struct plan_fixture f = {0};
	struct plan_known known[16] = {0};
	int run, needs[8];

	(void)state;
	compile(&f);
	run = plan_find_step(f.plan, "run", NULL);
	assert_true(plan_is_ready(f.plan, plan_find_step(f.plan, "make", NULL), known));
	assert_int_equal(plan_needs(f.plan, run, needs, 8), 2);
	for (int i = 0; i < 2; i++) {
		assert_false(plan_is_ready(f.plan, run, known));
		known[needs[i]].known = true;
	}
	assert_true(plan_is_ready(f.plan, run, known));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
