/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int add(struct registry_rules *rules, const char *json, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *array = NULL;

	assert_int_equal(json_parse(json, strlen(json), "rules", &array, err), 0);
	return registry_rules_add(rules, array, "f", err);
}

static const char rules_text[] =
	"[{\"prefix\":\"docker.io\",\"location\":\"docker.io\",\"mirror\":["
	"{\"location\":\"m.example/hub\"},{\"location\":\"d.example:5000\",\"insecure\":true,"
	"\"pull-from-mirror\":\"digest-only\"},{\"location\":\"t.example\",\"pull-from-mirror\":"
	"\"tag-only\"}]},"
	"{\"prefix\":\"docker.io/library/debian\",\"location\":\"other.example/deb\"},"
	"{\"location\":\"plain.example:5000\",\"insecure\":true},"
	"{\"prefix\":\"*.corp.example\",\"blocked\":true},"
	"{\"prefix\":\"old.example\",\"mirror-by-digest-only\":true,\"mirror\":"
	"[{\"location\":\"m.old.example/\"}]},"
	"{\"prefix\":\"one.example/app:1\",\"location\":\"two.example/b\"},"
	"{\"prefix\":\"*.wild.example\",\"mirror\":[{\"location\":\"m.example/w\"}]}]";

/* ways: "[m][i]HOST/REPOSITORY[:TAG]" with m for mirrors, i for insecure ones. */
static const struct {
	const char *name, *ways;
} cases[] = {
	{"docker.io/app:2",
	 "m m.example/hub/library/app:2, m t.example/library/app:2, docker.io/library/app:2"},
	{"docker.io/a/b@sha256:" HEX,
	 "m m.example/hub/a/b@sha256:" HEX ", mi d.example:5000/a/b@sha256:" HEX
	 ", docker.io/a/b@sha256:" HEX},
	{"docker.io/library/debian:12", "other.example/deb:12"},
	{"docker.io/library/debian2:12",
	 "m m.example/hub/library/debian2:12, m t.example/library/debian2:12, docker.io/library/debian2:12"},
	{"docker.io/library/debian/x", "other.example/deb/x"},
	{"plain.example:5000/x", "i plain.example:5000/x"},
	{"plain.example/x", "plain.example/x"},
	{"old.example/x:1", "old.example/x:1"},
	{"old.example/x@sha256:" HEX,
	 "m m.old.example/x@sha256:" HEX ", old.example/x@sha256:" HEX},
	{"one.example/app:1", "two.example/b:1"},
	{"one.example/app:12", "one.example/app:12"},
	{"a.wild.example/x/y", "m m.example/w/x/y, a.wild.example/x/y"},
	{"wild.example/x", "wild.example/x"},
	{"awild.example/x", "awild.example/x"},
	{"no.rule.example/x", "no.rule.example/x"},
};

static void print(const struct registry_ways *ways, struct buf *out)
{
	for (size_t i = 0; i < ways->count; i++) {
		const struct registry_way *way = &ways->items[i];
		CLEANUP(free_ptr) char *name = reference_text(&way->reference);

		buf_addf(out, "%s%s%s%s%s", i ? ", " : "", way->is_mirror ? "m" : "",
			 way->insecure ? "i" : "", way->is_mirror || way->insecure ? " " : "",
			 name);
	}
}

static void finds_ways(void **state)
{
	CLEANUP(registry_rules_release) struct registry_rules rules = {0};
	struct varve_error err = {0};

	(void)state;
	assert_int_equal(add(&rules, rules_text, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(registry_ways_release) struct registry_ways ways = {0};
		CLEANUP(reference_release) struct reference reference = {0};
		CLEANUP(buf_release) struct buf text = BUF_INIT;

		assert_int_equal(reference_parse(cases[i].name, &reference, &err), 0);
		assert_int_equal(registry_ways_find(&rules, &reference, &ways, &err), 0);
		print(&ways, &text);
		if (!str_equal(buf_text(&text), cases[i].ways))
			fail_msg("%s: %s", cases[i].name, buf_text(&text));
	}
}

static void blocks(void **state)
{
	CLEANUP(registry_rules_release) struct registry_rules rules = {0};
	CLEANUP(registry_ways_release) struct registry_ways ways = {0};
	CLEANUP(reference_release) struct reference reference = {0};
	struct varve_error err = {0};

	(void)state;
	assert_int_equal(add(&rules, rules_text, &err), 0);
	assert_int_equal(reference_parse("r.corp.example/x", &reference, &err), 0);
	assert_int_equal(registry_ways_find(&rules, &reference, &ways, &err), -VARVE_E_HOST);
	assert_non_null(strstr(err.text, "*.corp.example (f)"));
	/* What comes later, wins. */
	assert_int_equal(add(&rules, "[{\"prefix\":\"*.corp.example\"}]", &err), 0);
	assert_int_equal(registry_ways_find(&rules, &reference, &ways, &err), 0);
	assert_int_equal(ways.count, 1);
}

static const struct {
	const char *rules, *error;
} wrongs[] = {
	{"[{\"location\":\"http://x.example\"}]", "location"},
	{"[{\"location\":\"name\"}]", "location"},
	{"[{}]", "location"},
	{"[{\"prefix\":\"x.example\",\"location\":\"a b\"}]", "location"},
	{"[{\"prefix\":\"*.x.example/y\"}]", "prefix"},
	{"[{\"prefix\":\"*.\"}]", "prefix"},
	{"[{\"prefix\":\"x.example@y\"}]", "prefix"},
	{"[{\"location\":\"x.example\",\"mirror\":[{}]}]", "location"},
	{"[{\"location\":\"x.example\",\"mirror\":[{\"location\":\"m.example\","
	 "\"pull-from-mirror\":\"never\"}]}]",
	 "pull-from-mirror"},
};

static void refuses_nonsense(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		CLEANUP(registry_rules_release) struct registry_rules rules = {0};
		struct varve_error err = {0};
		int r = add(&rules, wrongs[i].rules, &err);

		if (r != -VARVE_E_USAGE || !strstr(err.text, wrongs[i].error))
			fail_msg("%s: %d %s", wrongs[i].rules, r, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_ways),
		cmocka_unit_test(blocks),
		cmocka_unit_test(refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
