/* SPDX-License-Identifier: Apache-2.0 */
#include "source/deb_solve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/digest.h"
#include "scratch.h"

/* A package in a line: "NAME VERSION [Field: value; Field: value...]". Its digest is that of NAME
 * VERSION. */
static void add_stanza(struct buf *out, const char *line)
{
	char name[64], version[64], hex[VARVE_DIGEST_HEX];
	CLEANUP(free_ptr) char *id = NULL;
	struct varve_digest digest;
	const char *fields;
	int used = 0;

	assert_int_equal(sscanf(line, "%63s %63s%n", name, version, &used), 2);
	id = xasprintf("%s %s", name, version);
	digest_bytes(id, strlen(id), &digest);
	buf_addf(out, "Package: %s\nVersion: %s\n", name, version);
	for (fields = line + used; *fields; fields += strcspn(fields, ";")) {
		CLEANUP(free_ptr) char *field = NULL;

		fields += strspn(fields, "; ");
		field = xstrndup(fields, strcspn(fields, ";"));
		buf_addf(out, "%s\n", field);
	}
	if (!strstr(line, "Architecture:"))
		buf_addstr(out, "Architecture: amd64\n");
	buf_addf(out, "Filename: pool/%s_%s.deb\nSize: 10\nSHA256: %s\n\n", name, version,
		 varve_digest_hex(&digest, hex));
}

struct solve_case {
	const char *name;
	const char *packages[12]; /* of the archive */
	const char *installed[4];
	const char *wanted[4];
	bool bootstrap, recommends;
	int result;
	const char *expected; /* "a=1 b=2!" in order, "!" essential; or a part of the error */
};

static const struct solve_case cases[] = {
	{"one", {"a 1", "b 1"}, {0}, {"a"}, false, false, 0, "a=1"},
	{"needs first",
	 {"a 1 Depends: b", "b 1 Depends: c", "c 1"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "c=1 b=1 a=1"},
	{"the newest, by Debian's order",
	 {"a 1.0~rc1", "a 1.0", "a 1.0-2", "a 1:0.1", "a 1.9"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "a=1:0.1"},
	{"a tilde comes before",
	 {"a 1.0~rc1", "a 1.0~~", "a 0.9"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "a=1.0~rc1"},
	{"a version asked for", {"a 1", "a 2"}, {0}, {"a=1"}, false, false, 0, "a=1"},
	{"a version range",
	 {"a 1 Depends: b (<< 2)", "b 1", "b 2"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "b=1 a=1"},
	{"the first alternative",
	 {"a 1 Depends: b | c", "b 1", "c 1"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "b=1 a=1"},
	{"the second where the first is not there",
	 {"a 1 Depends: x | c", "c 1"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "c=1 a=1"},
	{"the alternative that is there",
	 {"a 1 Depends: b | c", "b 1", "c 1"},
	 {"c 1"},
	 {"a"},
	 false,
	 false,
	 0,
	 "a=1"},
	{"a virtual package",
	 {"a 1 Depends: mail", "b 1 Provides: mail"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "b=1 a=1"},
	{"the real one before one that provides it",
	 {"a 1 Depends: b", "b 1", "big 1 Provides: b (= 9)"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "b=1 a=1"},
	{"a provided version",
	 {"a 1 Depends: v (>= 2)", "b 1 Provides: v (= 1)", "c 1 Provides: v (= 2)"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "c=1 a=1"},
	{"the first alternative, whatever their names and places",
	 {"c 1", "a 1 Depends: z | c | m", "m 1", "z 1"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "z=1 a=1"},
	{"the first alternative, older or not",
	 {"a 1 Depends: z | c", "c 9", "z 1"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "z=1 a=1"},
	{"the first alternative unless it cannot be",
	 {"a 1 Depends: z | c", "c 1", "z 1 Depends: gone"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "c=1 a=1"},
	{"the usual one of a virtual name",
	 {"a 1 Depends: awk", "gawk 5 Provides: awk", "mawk 1 Provides: awk; Priority: required"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "mawk=1 a=1"},
	{"the usual one, by its place in the archive too",
	 {"mawk 1 Provides: awk; Priority: required", "original 5 Provides: awk",
	  "a 1 Depends: awk"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "mawk=1 a=1"},
	{"the real one of what is asked for",
	 {"big 9 Provides: b", "b 1", "c 1 Provides: b"},
	 {0},
	 {"b"},
	 false,
	 false,
	 0,
	 "b=1"},
	{"a long way down",
	 {"a 1 Depends: b, e", "e 1 Depends: d", "d 1 Pre-Depends: c", "b 1 Depends: e", "c 1"},
	 {0},
	 {"a", "b"},
	 false,
	 false,
	 0,
	 "c=1 d=1 e=1 b=1 a=1"},
	{"the first alternative before the usual one",
	 {"a 1 Depends: gawk | awk", "gawk 5 Provides: awk",
	  "mawk 1 Provides: awk; Priority: required"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "gawk=5 a=1"},
	{"the nearest of two that disagree",
	 {"a 1 Depends: y | x, b", "b 1 Depends: x | y", "x 1", "y 1"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "y=1 b=1 a=1"},
	{"what nobody asked for prefers nothing",
	 {"a 1 Depends: awk", "n 1 Depends: zawk | awk", "bawk 1 Provides: awk",
	  "zawk 1 Provides: awk"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "bawk=1 a=1"},
	{"the first alternative of a kind",
	 {"a 1 Depends: z (>= 2) | y:any | c", "c 1", "y 1 Multi-Arch: allowed", "z 1"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "y=1 a=1"},
	{"Pre-Depends", {"a 1 Pre-Depends: b", "b 1"}, {0}, {"a"}, false, false, 0, "b=1 a=1"},
	{"a cycle",
	 {"a 1 Depends: b", "b 1 Depends: a", "c 1 Depends: a"},
	 {0},
	 {"c"},
	 false,
	 false,
	 0,
	 NULL},
	{"any architecture",
	 {"a 1 Depends: p:any", "p 1 Multi-Arch: allowed"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "p=1 a=1"},
	{"for all architectures",
	 {"a 1 Depends: d", "d 1 Architecture: all"},
	 {0},
	 {"a"},
	 false,
	 false,
	 0,
	 "d=1 a=1"},
	{"recommends left out", {"a 1 Recommends: b", "b 1"}, {0}, {"a"}, false, false, 0, "a=1"},
	{"recommends wanted", {"a 1 Recommends: b", "b 1"}, {0}, {"a"}, false, true, 0, NULL},
	{"what is below is left out",
	 {"a 1 Depends: b", "b 1"},
	 {"b 1"},
	 {"a"},
	 false,
	 false,
	 0,
	 "a=1"},
	{"nothing to do", {"a 1"}, {"a 1"}, {"a"}, false, false, 0, ""},
	{"what is below is not upgraded unasked",
	 {"a 1 Depends: b", "b 1", "b 2"},
	 {"b 1"},
	 {"a"},
	 false,
	 false,
	 0,
	 "a=1"},
	{"what is below is upgraded where needed",
	 {"a 1 Depends: b (>= 2)", "b 1", "b 2"},
	 {"b 1"},
	 {"a"},
	 false,
	 false,
	 0,
	 "b=2 a=1"},
	{"the essential ones come by themselves",
	 {"a 1", "base 1 Essential: yes; Depends: lib", "lib 1", "x 1"},
	 {0},
	 {"a"},
	 true,
	 false,
	 0,
	 NULL},
	{"not on something", {"a 1", "base 1 Essential: yes"}, {0}, {"a"}, false, false, 0, "a=1"},
	{"usr-is-merged before usrmerge",
	 {"base 1 Essential: yes; Depends: usrmerge | usr-is-merged", "usrmerge 1",
	  "usr-is-merged 1"},
	 {0},
	 {0},
	 true,
	 false,
	 0,
	 "usr-is-merged=1! base=1!"},

	{"a name that is near",
	 {"python3-minimal 1", "x 1"},
	 {0},
	 {"python3-minmal"},
	 false,
	 false,
	 -VARVE_E_RESOLVE,
	 "did you mean \"python3-minimal\"?"},
	{"no such name",
	 {"a 1"},
	 {0},
	 {"zzzzzz"},
	 false,
	 false,
	 -VARVE_E_RESOLVE,
	 "no package \"zzzzzz\""},
	{"no such version", {"a 1"}, {0}, {"a=3"}, false, false, -VARVE_E_RESOLVE, "version 3"},
	{"a conflict",
	 {"a 1", "b 1 Conflicts: a"},
	 {0},
	 {"a", "b"},
	 false,
	 false,
	 -VARVE_E_RESOLVE,
	 "b"},
	{"Breaks",
	 {"a 1", "b 1 Breaks: a (<< 2)"},
	 {0},
	 {"a", "b"},
	 false,
	 false,
	 -VARVE_E_RESOLVE,
	 "b"},
	{"a need that nobody fills",
	 {"a 1 Depends: b", "b 1 Depends: gone (>= 2)"},
	 {0},
	 {"a"},
	 false,
	 false,
	 -VARVE_E_RESOLVE,
	 "gone"},
	{"another architecture",
	 {"a 1 Architecture: arm64"},
	 {0},
	 {"a"},
	 false,
	 false,
	 -VARVE_E_RESOLVE,
	 "no package \"a\" for amd64"},
};

static char *describe(const struct lock_source *source)
{
	CLEANUP(strv_release) struct strv words = STRV_INIT;

	for (size_t i = 0; i < source->count; i++) {
		const struct lock_artifact *a = &source->artifacts[i];
		CLEANUP(free_ptr) char *id = xasprintf("%s %s", a->name, a->version);
		CLEANUP(free_ptr)
		char *from = xasprintf("here:pool/%s_%s.deb", a->name, a->version);
		struct varve_digest digest;

		digest_bytes(id, strlen(id), &digest);
		assert_true(varve_digest_equal(&digest, &a->sha256));
		assert_string_equal(a->from, from);
		strv_addf(&words, "%s=%s%s", a->name, a->version, a->extra ? "!" : "");
	}
	return strv_join(&words, " ");
}

static int solve(const struct solve_case *c, struct lock_source *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf archive = BUF_INIT;
	CLEANUP(buf_release) struct buf installed = BUF_INIT;
	CLEANUP(strv_release) struct strv wanted = STRV_INIT;
	struct deb_packages packages = {.mirror = "here"};
	struct deb_question question = {.architecture = "amd64",
					.indexes = &packages,
					.index_count = 1,
					.packages = &wanted,
					.bootstrap = c->bootstrap,
					.recommends = c->recommends};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c->packages) && c->packages[i]; i++)
		add_stanza(&archive, c->packages[i]);
	for (i = 0; i < ARRAY_SIZE(c->installed) && c->installed[i]; i++)
		add_stanza(&installed, c->installed[i]);
	for (i = 0; i < ARRAY_SIZE(c->wanted) && c->wanted[i]; i++)
		strv_add(&wanted, c->wanted[i]);
	packages.text = buf_text(&archive);
	packages.len = archive.len;
	question.installed = buf_text(&installed);
	return deb_solve(&question, ret, err);
}

/* Packages to be taken apart. */
static void solve_alone(const struct buf *archive, const struct strv *wanted,
			struct lock_source *ret)
{
	const struct deb_packages packages = {
		.mirror = "here", .text = buf_text(archive), .len = archive->len};
	const struct deb_question question = {.architecture = "amd64",
					      .indexes = &packages,
					      .index_count = 1,
					      .installed = "",
					      .packages = wanted,
					      .alone = true};

	assert_int_equal(deb_solve(&question, ret, NULL), 0);
}

/* What they need, conflict with, or is essential does not come along. */
static void test_alone(void **state)
{
	CLEANUP(lock_source_release) struct lock_source source = {0};
	CLEANUP(buf_release) struct buf archive = BUF_INIT;
	CLEANUP(strv_release) struct strv wanted = STRV_INIT;

	(void)state;
	add_stanza(&archive, "a 1 Depends: b, nowhere; Conflicts: c");
	add_stanza(&archive, "a 2 Depends: b, nowhere; Conflicts: c");
	add_stanza(&archive, "b 1");
	add_stanza(&archive, "c 1 Recommends: b");
	add_stanza(&archive, "e 1 Essential: yes");
	strv_add(&wanted, "a=1");
	strv_add(&wanted, "c");
	solve_alone(&archive, &wanted, &source);
	assert_int_equal(source.count, 2);
	assert_string_equal(source.artifacts[0].name, "a");
	assert_string_equal(source.artifacts[0].version, "1");
	assert_string_equal(source.artifacts[1].name, "c");
}

static const struct solve_case *find_case(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (strcmp(cases[i].name, name) == 0)
			return &cases[i];
	fail_msg("no case %s", name);
	return NULL;
}

static char *answer(const char *name)
{
	CLEANUP(lock_source_release) struct lock_source source = {0};
	struct varve_error err = {0};

	if (solve(find_case(name), &source, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	return describe(&source);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(lock_source_release) struct lock_source source = {0};
		CLEANUP(free_ptr) char *got = NULL;
		struct varve_error err = {0};
		int r = solve(&cases[i], &source, &err);

		if (r != cases[i].result)
			fail_msg("%s: %d %s", cases[i].name, r, err.text);
		got = describe(&source);
		if (r == 0 && cases[i].expected && strcmp(got, cases[i].expected) != 0)
			fail_msg("%s: %s", cases[i].name, got);
		if (r < 0 && !strstr(err.text, cases[i].expected))
			fail_msg("%s: %s", cases[i].name, err.text);
	}
}

/* --- where the order is not the whole answer
 * ------------------------------------------------------- */

static void test_cycle(void **state)
{
	CLEANUP(free_ptr) char *first = answer("a cycle");

	(void)state;
	for (int i = 0; i < 5; i++) {
		CLEANUP(free_ptr) char *again = answer("a cycle");

		assert_string_equal(again, first);
	}
	assert_true(str_ends(first, " c=1"));
	assert_int_equal(strlen(first), strlen("a=1 b=1 c=1"));
}

static void test_bootstrap(void **state)
{
	CLEANUP(free_ptr) char *got = answer("the essential ones come by themselves");

	(void)state;
	/* What an essential package needs has to be laid out with it. */
	assert_non_null(strstr(got, "base=1!"));
	assert_non_null(strstr(got, "lib=1!"));
	assert_true(strstr(got, "lib=1!") < strstr(got, "base=1!"));
	assert_non_null(strstr(got, "a=1"));
	assert_null(strstr(got, "a=1!"));
	assert_null(strstr(got, "x=1"));
}

/* What it depends on is not even there, and it disturbs what is. */
static void test_alone_in_conflict(void **state)
{
	CLEANUP(lock_source_release) struct lock_source source = {0};
	CLEANUP(buf_release) struct buf archive = BUF_INIT;
	CLEANUP(strv_release) struct strv wanted = STRV_INIT;

	(void)state;
	add_stanza(&archive, "a 1 Depends: nowhere");
	add_stanza(&archive, "b 1 Conflicts: a");
	strv_add(&wanted, "b");
	strv_add(&wanted, "a");
	solve_alone(&archive, &wanted, &source);
	assert_int_equal(source.count, 2);
}

static void test_recommends(void **state)
{
	CLEANUP(free_ptr) char *got = answer("recommends wanted");

	(void)state;
	assert_non_null(strstr(got, "a=1"));
	assert_non_null(strstr(got, "b=1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),      cmocka_unit_test(test_cases),
		cmocka_unit_test(test_cycle),      cmocka_unit_test(test_bootstrap),
		cmocka_unit_test(test_recommends), cmocka_unit_test(test_alone_in_conflict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
