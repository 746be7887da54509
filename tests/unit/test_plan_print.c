/* SPDX-License-Identifier: Apache-2.0
 * What `varve plan` says of a plan that was compared with a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "plan_fixture.h"

static const char recipe[] = "varve: 1\n"
			     "name: t\n"
			     "sources:\n"
			     "  system: {kind: debian, suite: bookworm, packages: [bash, gcc]}\n"
			     "stages:\n"
			     "  base:\n"
			     "    steps:\n"
			     "      - {step: system, install: system}\n"
			     "      - {step: nothing, run: \"true\"}\n"
			     "  build:\n"
			     "    from: base\n"
			     "    steps:\n"
			     "      - {step: compile, run: make, jobs: 2, network: host}\n"
			     "  runtime:\n"
			     "    from: base\n"
			     "    steps:\n"
			     "      - {step: app, copy: \"build:/out/hello\", to: /usr/bin/hello}\n"
			     "images:\n"
			     "  runtime: {stage: runtime, name: \"t:1\"}\n";

static void compile(struct plan_fixture *f)
{
	struct strv settings = STRV_INIT;
	struct plan_options options = {.platform = "linux/amd64", .epoch = -1};
	struct varve_error err = {0};

	if (fixture_compile(f, recipe, &settings, &options, true, &err) < 0)
		fail_msg("%s", err.text);
}

static void fill(struct plan_status status[4])
{
	memset(status, 0, 4 * sizeof(*status));
	status[0].verdict = PLAN_HIT;
	memset(&status[0].key, 0x1f, sizeof(status[0].key));
	status[0].size = 31250000;
	status[1].verdict = PLAN_HIT;
	status[2].verdict = PLAN_MISS;
	snprintf(status[2].why, sizeof(status[2].why), "environment.CFLAGS changed");
	status[3].verdict = PLAN_DEPENDS;
	status[3].depends_on = 2;
}

static void test_text(void **state)
{
	CLEANUP(plan_fixture_release) struct plan_fixture f = {0};
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	struct plan_status status[4];

	(void)state;
	compile(&f);
	fill(status);
	plan_print_text(f.plan, status, &out);
	assert_string_equal(
		buf_text(&out),
		"  hit   base/system    install system (2 packages)              "
		"sha256:1f1f1f1f1f1f..  31.2 MB\n"
		"  hit   base/nothing   run                                      "
		"sha256:000000000000..  no change\n"
		"  miss  build/compile  run, host network                        "
		"environment.CFLAGS changed\n"
		"  ?     runtime/app    copy build:/out/hello to /usr/bin/hello  "
		"depends on build/compile\n"
		"  image runtime        t:1                                      stage runtime\n"
		"4 steps: 2 hit, 1 miss, 1 open; 1 source, 1 image; not hermetic\n");
}

static void test_sizes(void **state)
{
	static const struct {
		uint64_t size;
		const char *want;
	} rows[] = {
		{999, "  999 B\n"},           {1000, "  1.0 kB\n"},
		{999999, "  999.9 kB\n"},     {1000000, "  1.0 MB\n"},
		{10000000000, "  10.0 GB\n"}, {5000000000000000, "  5000.0 TB\n"},
	};
	CLEANUP(plan_fixture_release) struct plan_fixture f = {0};
	size_t i;

	(void)state;
	compile(&f);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(buf_release) struct buf out = BUF_INIT;
		struct plan_status status[4];

		fill(status);
		status[0].size = rows[i].size;
		plan_print_text(f.plan, status, &out);
		assert_non_null(strstr(buf_text(&out), rows[i].want));
	}
}

static const char *member(const json_t *plan, size_t step, const char *key)
{
	json_t *object = json_array_get(json_object_get(plan, "steps"), step);

	return json_optional_string(object, key, "");
}

static void test_json(void **state)
{
	CLEANUP(plan_fixture_release) struct plan_fixture f = {0};
	CLEANUP(json_decrefp) json_t *plan = NULL;
	CLEANUP(json_decrefp) json_t *input = NULL;
	struct plan_status status[4];
	struct plan_known *known;
	json_t *shown;
	const char *key;
	json_t *value;
	int unknown;

	(void)state;
	compile(&f);
	fill(status);
	plan = plan_to_json(f.plan, status);
	assert_string_equal(member(plan, 0, "verdict"), "hit");
	assert_string_equal(member(plan, 2, "why"), "environment.CFLAGS changed");
	assert_string_equal(member(plan, 3, "depends-on"), "build/compile");
	assert_true(json_is_false(json_object_get(plan, "hermetic")));

	/* One serialiser: what a key sees, the plan shows, but for the chain, which it cannot know.
	 */
	known = fixture_known(f.plan);
	assert_int_equal(plan_input(f.plan, 2, known, &input, &unknown), 0);
	shown = json_object_get(json_array_get(json_object_get(plan, "steps"), 2), "input");
	json_object_foreach(input, key, value) if (strcmp(key, "chain") != 0)
		assert_true(json_equal(value, json_object_get(shown, key)));
	assert_int_equal(json_object_size(shown) + 1, json_object_size(input));
	fixture_forget(known, f.plan->step_count);
}

static void test_dot(void **state)
{
	CLEANUP(plan_fixture_release) struct plan_fixture f = {0};
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	struct plan_status status[4];

	(void)state;
	compile(&f);
	fill(status);
	plan_print_dot(f.plan, status, &out);
	assert_non_null(strstr(buf_text(&out), "step2 [label=\"build/compile: run, host network\", "
					       "style=filled, fillcolor=lightsalmon];"));
	assert_non_null(strstr(buf_text(&out), "step2 -> step3 [style=dashed];"));
}

static void test_names(void **state)
{
	CLEANUP(plan_fixture_release) struct plan_fixture f = {0};
	CLEANUP(free_ptr) char *name = NULL;
	struct varve_error err = {0};

	(void)state;
	compile(&f);
	name = plan_step_name(f.plan, 3);
	assert_string_equal(name, "runtime/app");
	assert_int_equal(plan_find_step(f.plan, "app", &err), 3);
	assert_int_equal(plan_find_step(f.plan, "runtime/app", &err), 3);
	assert_int_equal(plan_find_step(f.plan, "runtime/ap", &err), -VARVE_E_USAGE);
	assert_non_null(strstr(err.text, "did you mean \"runtime/app\"?"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),  cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_json),  cmocka_unit_test(test_dot),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
