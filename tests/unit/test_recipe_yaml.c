/* SPDX-License-Identifier: Apache-2.0
 * YAML as recipes have it: syntax, anchors, merge keys, limits, hostile input. */
#include "recipe_fixture.h"

#define TAIL STAGES IMAGES

static const struct text_case yaml_errors_cases[] = {
	{HEAD TAIL, ""},
	{"\xef\xbb\xbf" HEAD TAIL, ""},
	{"%YAML 1.2\n---\n" HEAD TAIL "...\n", ""},
	{"{\"varve\": 1, \"name\": \"r\", \"stages\": {\"s\": {\"steps\": [{\"step\": \"x\", "
	 "\"run\": \"y\"}]}},\n\"images\": {\"i\": {\"stage\": \"s\", \"name\": \"n\"}}}",
	 ""},
	{"", "r.yaml:1:1: the file is empty"},
	{"# nothing\n", "r.yaml:2:1: the file is empty"},
	{"hello", "r.yaml:1:1: the recipe must be a map, not a single value; a map is written "
		  "{name: value} or as lines \"name: value\""},
	{"- varve: 1\n", "r.yaml:1:1: the recipe must be a map, not a list; a map is written "
			 "{name: value} or as lines \"name: value\""},
	{HEAD "stages: [a\n", "r.yaml:4:1: flow sequence without a closing bracket"},
	{HEAD "stages:\n\t- b\n", "r.yaml:4:1: tab character may not be used as indentation"},
	{HEAD "name2: a: b\n", "r.yaml:3:9: invalid nested block mapping on the same line"},
	{HEAD TAIL "---\nvarve: 1\n", "r.yaml:5:1: a second document; a recipe is one"},
	{HEAD TAIL "name: again\n",
	 "r.yaml:5:1: \"name\" is given twice; the first one is at r.yaml:2:1"},
	{HEAD "registry: !host a\n" TAIL, "r.yaml:3:17: tags (!NAME) have no meaning in a recipe"},
	{HEAD "registry: *host\n" TAIL,
	 "r.yaml:3:11: unknown alias *host: no anchor &host stands before it"},
	{HEAD "registry: &host a\noptions: {o: {default: *hots}}\n" TAIL,
	 "r.yaml:4:24: unknown alias *hots; did you mean *host?"},
	{HEAD "options: &o {a: *o}\n", "r.yaml:3:17: the alias *o stands inside its own anchor"},
	{HEAD "options: &o {a: &o b}\n",
	 "r.yaml:3:20: the anchor &o is given twice; the first one is at line 3"},
	{HEAD "options: {[a, b]: c}\n", "r.yaml:3:11: a key must be a plain name, not a list"},
	{HEAD "options: {? : c}\n", "r.yaml:3:10: a key must be a plain name, not nothing"},
	{HEAD "options: {o: {default: \"a\\0b\"}}\n" TAIL,
	 "r.yaml:3:24: a value that holds NUL or is not UTF-8 after its escapes"},
	{HEAD "registry: \"\\ud800\"\n" TAIL,
	 "r.yaml:3:12: double-quoted scalar has invalid UTF8 escape"},
	{HEAD "options:\n  <<: {a: {default: b}}\n" TAIL, ""},
	{HEAD "options:\n  <<: b\n" TAIL,
	 "r.yaml:4:7: << takes a map or a list of maps, this is a single value; write <<: "
	 "*NAME"},
	{HEAD "options:\n  <<: [{a: {default: b}}, [c]]\n" TAIL,
	 "r.yaml:4:27: << takes a map or a list of maps, this is a list; write <<: *NAME"},
	{HEAD "options:\n  <<: {a: {default: b}}\n  <<: {c: {default: d}}\n" TAIL,
	 "r.yaml:5:3: \"<<\" is given twice; the first one is at r.yaml:4:3"},
	{HEAD "options:\n  \"<<\": {default: b}\n" TAIL, ""},
};

static void yaml_errors(void **state)
{
	(void)state;
	check_cases(yaml_errors_cases, ARRAY_SIZE(yaml_errors_cases), parse_error);
}
/* --- hostile input -----------------------------------------------------------------------------
 */

/* A text of `count` times `unit`, between a start and an end. */
static void assert_repeated(const char *start, const char *unit, size_t count, const char *end,
			    const char *error)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err = {0};

	buf_addstr(&text, start);
	for (size_t i = 0; i < count; i++)
		buf_addstr(&text, unit);
	buf_addstr(&text, end);
	parse_error(text.data, text.len, &err);
	assert_string_equal(err.text, error);
}

static void hostile_shapes(void **state)
{
	static const struct {
		const char *start, *unit;
		size_t count;
		const char *end, *error;
	} cases[] = {
		{"", "[", 1000000, "", "r.yaml:1:65: more than 64 levels of nesting"},
		{"", "{a: ", 200000, "", "r.yaml:1:257: more than 64 levels of nesting"},
		{"", "- ", 500000, "", "r.yaml:1:129: more than 64 levels of nesting"},
		{"", "? ", 500000, "", "r.yaml:1:129: more than 64 levels of nesting"},
		{"a: [", "x,", 20000, "]", "r.yaml:1:4: this list has more than 16384 members"},
		{"", "x", 1048577, "", "r.yaml:1:1: the file is larger than 1048576 bytes"},
		{HEAD "registry: ", "x", 1000000, "\n" TAIL, ""},
		{HEAD "registry: \"", "x", 1000000, "",
		 "r.yaml:3:12: double-quoted scalar without "
		 "closing quote"},
		{HEAD "registry: |\n", "\n", 1000000, TAIL,
		 "r.yaml:1004:1: more than 1000 blank lines in a row"},
		{HEAD "registry: |\n", " \t\r\n", 200000, TAIL,
		 "r.yaml:1004:1: more than 1000 blank lines in a row"},
		{HEAD, "#", 1000000, "\n" TAIL, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_repeated(cases[i].start, cases[i].unit, cases[i].count, cases[i].end,
				cases[i].error);
}

static void too_many_values(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err = {0};

	(void)state;
	buf_addstr(&text, "[");
	for (size_t i = 0; i < 100; i++) {
		buf_addstr(&text, "[");
		for (size_t k = 0; k < 1100; k++)
			buf_addstr(&text, "x,");
		buf_addstr(&text, "],\n");
	}
	parse_error(text.data, text.len, &err);
	assert_string_equal(err.text, "r.yaml:91:1818: the recipe is too large: more than 100000 "
				      "values, with aliases counted as what they stand for");
}

/* Ten levels of ten aliases each. */
static void billion_laughs(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err = {0};

	(void)state;
	buf_addstr(&text, HEAD "a0: &a0 [lol]\n");
	for (int i = 1; i < 10; i++) {
		buf_addf(&text, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_addf(&text, "*a%d,", i - 1);
		buf_addstr(&text, "]\n");
	}
	parse_error(text.data, text.len, &err);
	assert_string_equal(err.text,
			    "r.yaml:8:22: the recipe is too large: more than 100000 values, "
			    "with aliases counted as what they stand for");
}

/* Each alias is one level deeper than the last. */
static void deep_by_aliases(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err = {0};

	(void)state;
	buf_addstr(&text, HEAD "a0: &a0 [x]\n");
	for (int i = 1; i < 100; i++)
		buf_addf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	parse_error(text.data, text.len, &err);
	assert_string_equal(err.text, "r.yaml:66:12: more than 64 levels of nesting");
}

/* The same for merge keys: each map holds all of the one before, and more. */
static void bomb_by_merges(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err = {0};

	(void)state;
	buf_addstr(&text, HEAD "a0: &a0 {k: v}\n");
	for (int i = 1; i < 1000; i++)
		buf_addf(&text, "a%d: &a%d {<<: *a%d, k%d: v}\n", i, i, i - 1, i);
	parse_error(text.data, text.len, &err);
	assert_non_null(strstr(err.text, "the recipe is too large"));
}

static void many_anchors(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err = {0};

	(void)state;
	for (int i = 0; i < 2000; i++)
		buf_addf(&text, "- &a%d x\n", i);
	parse_error(text.data, text.len, &err);
	assert_string_equal(err.text, "r.yaml:1025:10: more than 1024 anchors");
}

static void bad_bytes(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *error;
	} cases[] = {
		{"a: \0b", 5, "r.yaml:1:4: a NUL byte: this is not a text file"},
		{"a: \xff", 4, "r.yaml:1:4: the byte 0xff: this is not UTF-8 text"},
		{"a: \xc3", 4, "r.yaml:1:4: the byte 0xc3: this is not UTF-8 text"},
		{"a: \xc0\x80", 5, "r.yaml:1:4: the byte 0xc0: this is not UTF-8 text"},
		{"a: \xed\xa0\x80", 6, "r.yaml:1:4: the byte 0xed: this is not UTF-8 text"},
		{"a: \xe0\x80\x80", 6, "r.yaml:1:4: the byte 0xe0: this is not UTF-8 text"},
		{"a: \xf4\x90\x80\x80", 7, "r.yaml:1:4: the byte 0xf4: this is not UTF-8 text"},
		{"b\n\xc3\xa4 \x80", 6, "r.yaml:2:3: the byte 0x80: this is not UTF-8 text"},
		{"\xff\xfe\x61\x00", 4, "r.yaml:1:1: the byte 0xff: this is not UTF-8 text"},
		{"", 0, "r.yaml:1:1: the file is empty"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct varve_error err = {0};

		parse_error(cases[i].text, cases[i].len, &err);
		assert_string_equal(err.text, cases[i].error);
	}
}

/* Every prefix of a recipe is read or refused, and nothing worse. */
static void every_prefix(void **state)
{
	static const char text[] = HEAD
		"options: &o {a: {default: \"b\\u00e4\", help: 'c'}}\nvariables: {<<: *o, d: >\n  "
		"e\n\n  f\n}\nsources:\n  x: {kind: url, href: http://h/ä}\n" TAIL;

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		CLEANUP(free_ptr) char *prefix = xstrndup(text, len);
		struct varve_error err = {0};

		parse_error(prefix, len, &err);
	}
}

/* Scalars stay what was written. */
static void values_as_written(void **state)
{
	static const struct {
		const char *written, *read;
	} cases[] = {
		{"3.10", "3.10"},
		{"no", "no"},
		{"1e3", "1e3"},
		{"0x10", "0x10"},
		{"null", "null"},
		{"~", "~"},
		{"007", "007"},
		{"'a b'", "a b"},
		{"\"\\x41\\n\"", "A\n"},
		{"\"\"", ""},
		{"2026-01-01", "2026-01-01"},
		{"+1", "+1"},
		{"|\n   a\n    b\n", "a\n b\n"},
		{">-\n   a\n   b\n", "a b"},
		{"${x} # c", "${x}"},
		{"a#b", "a#b"},
		{"\"\\u00e4\"", "\xc3\xa4"},
		{"'it''s'", "it's"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_ptr)
		char *text = xasprintf(HEAD "variables:\n  v: %s\n" TAIL, cases[i].written);
		CLEANUP(recipe_freep) struct recipe *recipe = parse(text);

		assert_int_equal(recipe->plain.count, 1);
		assert_string_equal(recipe->plain.items[0].value.text, cases[i].read);
	}
}

static void merge_keys(void **state)
{
	CLEANUP(recipe_freep)
	struct recipe *recipe =
		parse(HEAD "sources:\n"
			   "  a: &a {kind: debian, suite: x, packages: [p], mirror: m}\n"
			   "  b: {suite: y, <<: *a, mirror: n}\n"
			   "  c: {<<: [{mirror: o, snapshot: s}, *a], suite: z}\n" TAIL);
	const struct recipe_source *b = &recipe->sources[1], *c = &recipe->sources[2];

	(void)state;
	assert_string_equal(b->suite.text, "y");
	assert_string_equal(b->mirror.text, "n");
	assert_string_equal(b->packages.items[0].text, "p");
	assert_int_equal(b->packages.items[0].at.line, 4);
	assert_string_equal(c->mirror.text, "o");
	assert_string_equal(c->snapshot.text, "s");
	assert_string_equal(c->suite.text, "z");
	assert_null(c->href.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_errors),     cmocka_unit_test(hostile_shapes),
		cmocka_unit_test(too_many_values), cmocka_unit_test(billion_laughs),
		cmocka_unit_test(deep_by_aliases), cmocka_unit_test(bomb_by_merges),
		cmocka_unit_test(many_anchors),    cmocka_unit_test(bad_bytes),
		cmocka_unit_test(every_prefix),    cmocka_unit_test(values_as_written),
		cmocka_unit_test(merge_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
