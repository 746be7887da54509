/* SPDX-License-Identifier: Apache-2.0
 * Pins, suites that are for those only who ask, flat archives: what of two suites is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/deb_solve.h"

#define SHA "SHA256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"

struct pin_case {
	const char *name;
	const char *stable, *other; /* "NAME VERSION[ DEPENDS],..." */
	const char *suite; /* of other; its mirror is "extra" */
	bool optional; /* other */
	const char *pins[3], *wanted[3];
	const char *expected; /* "MIRROR:NAME=VERSION ..." by name, or a part of the error */
	int result;
};

static const struct pin_case cases[] = {
	{"the newest of all", "a 1,b 1", "a 2", "o", false, {0}, {"a"}, "extra:a=2", 0},
	{"a version", "a 1", "a 2", "o", false, {"a=1*"}, {"a"}, "debian:a=1", 0},
	{"a version that somebody needs",
	 "a 1 b,b 1",
	 "b 2",
	 "o",
	 false,
	 {"b=1"},
	 {"a"},
	 "debian:a=1 debian:b=1",
	 0},
	{"a suite", "a 3", "a 2", "o", false, {"a/o"}, {"a"}, "extra:a=2", 0},
	{"a mirror", "a 3", "a 2", "o", false, {"a/extra"}, {"a"}, "extra:a=2", 0},
	{"names with stars",
	 "cuda-x 3,cuda-y 3",
	 "cuda-x 2,cuda-y 2",
	 "o",
	 false,
	 {"cuda-*/o"},
	 {"cuda-x", "cuda-y"},
	 "extra:cuda-x=2 extra:cuda-y=2",
	 0},
	{"two pins of a name",
	 "a 1,a 2",
	 "a 1,a 2",
	 "o",
	 false,
	 {"a=1", "a/o"},
	 {"a"},
	 "extra:a=1",
	 0},
	{"not unasked", "a 1", "a 2", "o", true, {0}, {"a"}, "debian:a=1", 0},
	{"asked for", "a 1", "a 2", "o", true, {"a/o"}, {"a"}, "extra:a=2", 0},
	{"asked for, but what it needs is not",
	 "a 1,b 1",
	 "a 2 b,b 2",
	 "o",
	 true,
	 {"a/o"},
	 {"a"},
	 "extra:a=2 debian:b=1",
	 0},
	{"nobody else has it", "a 1", "b 2", "o", true, {0}, {"b"}, "extra:b=2", 0},
	{"a pin of nothing",
	 "a 1",
	 "b 2",
	 "o",
	 false,
	 {"c=1"},
	 {"a"},
	 "no package of these suites is what the pin \"c=1\" asks for",
	 -VARVE_E_RESOLVE},
	{"a pin of a version that is not there",
	 "a 1",
	 "a 2",
	 "o",
	 false,
	 {"a=3"},
	 {"a"},
	 "what the pin \"a=3\" asks for",
	 -VARVE_E_RESOLVE},
	{"pins that do not fit together",
	 "a 1 b,b 2",
	 "c 1",
	 "o",
	 false,
	 {"b=9*"},
	 {"a"},
	 "b=9*",
	 -VARVE_E_RESOLVE},
	{"another architecture",
	 "a 1",
	 "b 1",
	 "o",
	 false,
	 {0},
	 {"a:i386"},
	 "an image has packages of one architecture only, here amd64",
	 -VARVE_E_RESOLVE},
	{"a flat archive", "a 1", "b 2", "/", false, {0}, {"b"}, "extra:b=2", 0},
};

static char *stanzas(const char *list)
{
	CLEANUP(free_ptr) char *copy = xstrdup(list);
	struct buf out = BUF_INIT;
	char *rest = copy, *item;

	while ((item = strsep(&rest, ","))) {
		char *version = strchr(item, ' '), *needs;

		*version++ = '\0';
		needs = strchr(version, ' ');
		if (needs)
			*needs++ = '\0';
		buf_addf(&out, "Package: %s\nVersion: %s\nArchitecture: amd64\n", item, version);
		if (needs)
			buf_addf(&out, "Depends: %s\n", needs);
		buf_addf(&out, "Filename: ./pool/%s_%s.deb\nSize: 1\n" SHA "\n", item, version);
	}
	return buf_steal(&out);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct lock_artifact *)a)->name,
		      ((const struct lock_artifact *)b)->name);
}

static void run_case(const struct pin_case *c)
{
	CLEANUP(free_ptr) char *stable = stanzas(c->stable);
	CLEANUP(free_ptr) char *other = stanzas(c->other);
	CLEANUP(strv_release) struct strv pins = STRV_INIT;
	CLEANUP(strv_release) struct strv wanted = STRV_INIT;
	CLEANUP(buf_release) struct buf told = BUF_INIT;
	const struct deb_packages indexes[] = {
		{stable, strlen(stable), "debian", "stable", false},
		{other, strlen(other), "extra", c->suite, c->optional}};
	struct deb_question question = {.architecture = "amd64",
					.indexes = indexes,
					.index_count = 2,
					.installed = "",
					.packages = &wanted,
					.pins = &pins};
	struct lock_source source = {0};
	struct varve_error err = {0};
	size_t i;

	for (i = 0; c->pins[i]; i++)
		strv_add(&pins, c->pins[i]);
	for (i = 0; c->wanted[i]; i++)
		strv_add(&wanted, c->wanted[i]);
	if (deb_solve(&question, &source, &err) != c->result)
		fail_msg("%s: %s", c->name, err.text);
	if (source.count > 0)
		qsort(source.artifacts, source.count, sizeof(*source.artifacts), by_name);
	for (i = 0; i < source.count; i++) {
		const struct lock_artifact *a = &source.artifacts[i];
		CLEANUP(free_ptr) char *place = xasprintf(":pool/%s_%s.deb", a->name, a->version);

		buf_addf(&told, "%s%.*s:%s=%s", i > 0 ? " " : "", (int)strcspn(a->from, ":"),
			 a->from, a->name, a->version);
		assert_string_equal(strchr(a->from, ':'), place);
	}
	if (c->result < 0 ? !strstr(err.text, c->expected)
			  : strcmp(buf_text(&told), c->expected) != 0)
		fail_msg("%s: %s%s", c->name, buf_text(&told), err.text);
	lock_source_release(&source);
}

static void test_cases(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("deb_pins", tests, NULL, NULL);
}
