/* SPDX-License-Identifier: Apache-2.0
 * Text to recipe: what is read, and the exact words for what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe.h"

#define HEAD "varve: 1\nname: r\n"
#define STAGES "stages: {s: {steps: [{step: x, run: y}]}}\n"
#define IMAGES "images: {i: {stage: s, name: n}}\n"
#define TAIL STAGES IMAGES
#define SOURCE(body) HEAD "sources:\n  a: {" body "}\n" TAIL
#define STEP(body) HEAD "stages:\n  s:\n    steps:\n      - {" body "}\n" IMAGES
#define OPTION(body) HEAD "options:\n  o: {" body "}\n" TAIL

/* The error of a text, "" when it is read. */
static void parse_error(const char *text, size_t len, struct varve_error *err)
{
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	int r = recipe_parse(text, len, "r.yaml", NULL, NULL, &recipe, err);

	if (r == 0)
		err->text[0] = '\0';
	assert_true(r == 0 || r == -VARVE_E_RECIPE);
	assert_true((r == 0) == (recipe != NULL));
	assert_int_equal(r, r == 0 ? 0 : err->code);
}

struct text_case {
	const char *text, *error; /* error "": it is read */
};

static void check_cases(const struct text_case *cases, size_t count)
{
	size_t failed = 0;

	for (size_t i = 0; i < count; i++) {
		struct varve_error err = {0};

		parse_error(cases[i].text, strlen(cases[i].text), &err);
		if (str_equal(err.text, cases[i].error))
			continue;
		print_message("%s\ngave: %s\nnot:  %s\n", cases[i].text, err.text, cases[i].error);
		failed++;
	}
	assert_int_equal(failed, 0);
}

static void yaml_errors(void **state)
{
	static const struct text_case cases[] = {
		{HEAD TAIL, ""},
		{"\xef\xbb\xbf" HEAD TAIL, ""},
		{"%YAML 1.2\n---\n" HEAD TAIL "...\n", ""},
		{"{\"varve\": 1, \"name\": \"r\", \"stages\": {\"s\": {\"steps\": [{\"step\": \"x\", "
		 "\"run\": \"y\"}]}},\n\"images\": {\"i\": {\"stage\": \"s\", \"name\": \"n\"}}}",
		 ""},
		{"", "r.yaml:1:1: the file is empty"},
		{"# nothing\n", "r.yaml:2:1: the file is empty"},
		{"hello",
		 "r.yaml:1:1: the recipe must be a map, not a single value; a map is written "
		 "{name: value} or as lines \"name: value\""},
		{"- varve: 1\n",
		 "r.yaml:1:1: the recipe must be a map, not a list; a map is written "
		 "{name: value} or as lines \"name: value\""},
		{HEAD "stages: [a\n", "r.yaml:4:1: flow sequence without a closing bracket"},
		{HEAD "stages:\n\t- b\n",
		 "r.yaml:4:1: tab character may not be used as indentation"},
		{HEAD "name2: a: b\n", "r.yaml:3:9: invalid nested block mapping on the same line"},
		{HEAD TAIL "---\nvarve: 1\n", "r.yaml:5:1: a second document; a recipe is one"},
		{HEAD TAIL "name: again\n",
		 "r.yaml:5:1: \"name\" is given twice; the first one is at r.yaml:2:1"},
		{HEAD "registry: !host a\n" TAIL,
		 "r.yaml:3:17: tags (!NAME) have no meaning in a recipe"},
		{HEAD "registry: *host\n" TAIL,
		 "r.yaml:3:11: unknown alias *host: no anchor &host stands before it"},
		{HEAD "registry: &host a\noptions: {o: {default: *hots}}\n" TAIL,
		 "r.yaml:4:24: unknown alias *hots; did you mean *host?"},
		{HEAD "options: &o {a: *o}\n",
		 "r.yaml:3:17: the alias *o stands inside its own anchor"},
		{HEAD "options: &o {a: &o b}\n",
		 "r.yaml:3:20: the anchor &o is given twice; the first one is at line 3"},
		{HEAD "options: {[a, b]: c}\n",
		 "r.yaml:3:11: a key must be a plain name, not a list"},
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

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void shape_errors(void **state)
{
	static const struct text_case cases[] = {
		{"name: r\n" TAIL,
		 "r.yaml:1:1: a recipe says which version of the language it is in; "
		 "add the line \"varve: 1\""},
		{"varve: 2\nname: r\n" TAIL,
		 "r.yaml:1:8: version \"2\" of the language is not known; "
		 "this varve reads 1"},
		{"varve: [1]\nname: r\n" TAIL,
		 "r.yaml:1:8: \"varve\" must be a single value, not a list"},
		{"varve: 1\n" TAIL, "r.yaml:1:1: the recipe lacks \"name\""},
		{HEAD IMAGES, "r.yaml:1:1: the recipe lacks \"stages\""},
		{HEAD STAGES, "r.yaml:1:1: the recipe lacks \"images\""},
		{HEAD "stage: {}\n" TAIL,
		 "r.yaml:3:1: unknown key \"stage\" in the recipe; did you mean \"stages\"?\n"
		 "keys of a recipe: varve, name, include, registry, options, variables, sources, "
		 "stages, images, checks"},
		{HEAD "options: []\n" TAIL,
		 "r.yaml:3:10: \"options\" must be a map, not a list; a map is written {name: value} "
		 "or as lines \"name: value\""},
		{HEAD "options:\n" TAIL,
		 "r.yaml:3:1: \"options\" has no value; a map is written {name: value} or as lines "
		 "\"name: value\""},
		{HEAD "checks: {a: b}\n" TAIL,
		 "r.yaml:3:9: \"checks\" must be a list, not a map; a list is written [a, b] or as "
		 "lines that start with \"- \""},
		{HEAD "include: [a.yaml]\n" TAIL, "r.yaml:3:11: includes are not possible here"},
		{HEAD "registry:\n" TAIL, "r.yaml:3:1: \"registry\" of the recipe has no value; an "
					  "empty one is written \"\""},
		/* options */
		{OPTION("default: a, choises: [a]"),
		 "r.yaml:4:19: unknown key \"choises\" in option \"o\"; did you mean \"choices\"?\n"
		 "keys of an option: type, choices, default, required, minimum, maximum, keyed, help"},
		{OPTION("default: 1, type: int"),
		 "r.yaml:4:25: unknown type \"int\" of option \"o\"\n"
		 "types of an option: string, integer, boolean, choice"},
		{OPTION("default: 1, type: integr"),
		 "r.yaml:4:25: unknown type \"integr\" of option \"o\"; did you mean \"integer\"?\n"
		 "types of an option: string, integer, boolean, choice"},
		{OPTION("default: 1, type: integer, minimum: one"),
		 "r.yaml:4:43: \"one\" is not a whole number"},
		{OPTION("default: 1, minimum: 1"),
		 "r.yaml:4:6: option \"o\" has a minimum or maximum; add \"type: integer\""},
		{OPTION("default: 1, type: choice"),
		 "r.yaml:4:6: option \"o\" of type choice lacks \"choices\""},
		{OPTION("default: 1, type: integer, choices: [1]"),
		 "r.yaml:4:6: option \"o\" has choices, so its type is \"choice\""},
		{OPTION("default: 1, keyed: maybe"),
		 "r.yaml:4:26: \"maybe\" is neither true nor false"},
		{OPTION("default: [1]"),
		 "r.yaml:4:16: \"default\" of option \"o\" must be a single value, not a list"},
		{HEAD "options: {o: main}\n" TAIL,
		 "r.yaml:3:14: option \"o\" must be a map, not a single value; a map is written {name: "
		 "value} or as lines \"name: value\""},
		/* variables */
		{HEAD "variables: {a: [b]}\n" TAIL,
		 "r.yaml:3:16: variable \"a\" must be a single value, not a list"},
		{HEAD "variables: {a: {b: c}}\n" TAIL,
		 "r.yaml:3:20: row \"b\" of the variables \"a\" must be a map, not a single value; a "
		 "map is written {name: value} or as lines \"name: value\""},
		{HEAD "variables: {a: {b: {c: {}}}}\n" TAIL,
		 "r.yaml:3:24: \"c\" in row \"b\" of the variables \"a\" must be a single value, not a "
		 "map"},
		/* sources */
		{SOURCE("suite: b"),
		 "r.yaml:4:6: source \"a\" lacks \"kind\": debian, local or url"},
		{SOURCE("kind: debain"),
		 "r.yaml:4:13: unknown kind \"debain\" of source \"a\"; did you mean \"debian\"?\n"
		 "kinds of sources: debian, local, url"},
		{SOURCE("kind: debian, suite: b, pakages: [c]"),
		 "r.yaml:4:31: unknown key \"pakages\" in source \"a\"; did you mean \"packages\"?\n"
		 "keys of a debian source: kind, if, suite, snapshot, suites, components, packages, "
		 "architecture, keyring, recommends, mirror"},
		{SOURCE("kind: local, path: b, href: c"),
		 "r.yaml:4:29: \"href\" does not belong in source \"a\", a local source\n"
		 "keys of a local source: kind, if, path, ignore"},
		{SOURCE("kind: debian, packages: [c]"), "r.yaml:4:6: source \"a\" lacks \"suite\""},
		{SOURCE("kind: debian, suite: b, packages: c"),
		 "r.yaml:4:41: \"packages\" of source \"a\" must be a list, not a single value; a list "
		 "is written [a, b] or as lines that start with \"- \""},
		{SOURCE("kind: debian, suite: b, packages: [c, [d]]"),
		 "r.yaml:4:45: a member of \"packages\" of source \"a\" must be a single value, not a "
		 "list"},
		{SOURCE("kind: python, whatever: {a: b}"), ""},
		/* stages and steps */
		{HEAD "stages: {s: {step: []}}\n" IMAGES,
		 "r.yaml:3:14: unknown key \"step\" in stage \"s\"; did you mean \"steps\"?\n"
		 "keys of a stage: from, environment, steps"},
		{HEAD "stages: {s: {steps: {step: a}}}\n" IMAGES,
		 "r.yaml:3:21: \"steps\" of stage \"s\" must be a list, not a map; a list is written "
		 "[a, b] or as lines that start with \"- \""},
		{STEP("run: y"), "r.yaml:6:9: a step of stage \"s\" lacks \"step\""},
		{STEP("step: x"),
		 "r.yaml:6:9: step \"x\" has no action; give it one of install, copy, run"},
		{STEP("step: x, run: y, copy: z"),
		 "r.yaml:6:9: step \"x\" has two actions, copy and run; make two steps of it"},
		{STEP("step: x, copy: y"), "r.yaml:6:9: step \"x\" lacks \"to\""},
		{STEP("step: x, run: y, to: /z"),
		 "r.yaml:6:27: \"to\" does not belong in step \"x\", a run step\n"
		 "keys of a run step: step, run, if, environment, unkeyed-environment, workdir, user, "
		 "shell, mounts, caches, secrets, network, jobs, ownership, scrub, split"},
		{STEP("step: x, instal: y"),
		 "r.yaml:6:19: unknown key \"instal\" in step \"x\"; did you mean \"install\"?\n"
		 "keys of a step: step, install, copy, run, if, to, exclude, into, environment, "
		 "unkeyed-environment, workdir, user, shell, mounts, caches, secrets, network, jobs, "
		 "ownership, scrub, split"},
		{STEP("step: x, run: {a: b}"),
		 "r.yaml:6:24: \"run\" of step \"x\" must be a single value, not a map"},
		{STEP("step: x, run: [a, b]"), ""},
		{STEP("step: x, run: y, ownership: lax"),
		 "r.yaml:6:38: \"ownership\" of step \"x\" must be \"strict\" or a list of {path, uid, "
		 "gid, mode}"},
		{STEP("step: x, run: y, ownership: [{uid: 1}]"),
		 "r.yaml:6:39: \"ownership\" of step \"x\" lacks \"path\""},
		{STEP("step: x, run: y, ownership: [{path: /a, owner: 1}]"),
		 "r.yaml:6:50: unknown key \"owner\" in \"ownership\" of step \"x\"\n"
		 "keys of an ownership entry: path, uid, gid, mode"},
		{STEP("step: x, run: y, environment: [A]"),
		 "r.yaml:6:40: \"environment\" of step \"x\" must be a map, not a list; a map is "
		 "written {name: value} or as lines \"name: value\""},
		{STEP("step: x, run: y, environment: {A: }"),
		 "r.yaml:6:41: \"A\" in \"environment\" of step \"x\" has no value; an empty one is "
		 "written \"\""},
		{HEAD "stages: {s: {steps: [x]}}\n" IMAGES,
		 "r.yaml:3:22: a step of stage \"s\" must be a map, not a single value; a map is "
		 "written {name: value} or as lines \"name: value\""},
		/* images and checks */
		{HEAD STAGES "images: {i: {stage: s}}\n",
		 "r.yaml:4:13: image \"i\" lacks \"name\""},
		{HEAD STAGES "images: {i: {stage: s, name: n, config: {cmd: [a]}}}\n",
		 "r.yaml:4:42: unknown key \"cmd\" in \"config\" of image \"i\"\n"
		 "keys of an image's config: environment, labels, workdir, user, stop-signal, command, "
		 "entrypoint, ports, volumes"},
		{HEAD TAIL "checks: [{name: a}]\n", "r.yaml:5:10: a check lacks \"run\""},
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
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
		{"a: [", "x,", 5000, "]", "r.yaml:1:4: this list has more than 4096 members"},
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

/* --- values ------------------------------------------------------------------------------------
 */

static struct recipe *parse(const char *text)
{
	struct recipe *recipe = NULL;
	struct varve_error err = {0};
	int r = recipe_parse(text, strlen(text), "r.yaml", NULL, NULL, &recipe, &err);

	if (r < 0)
		print_message("%s\n", err.text);
	assert_int_equal(r, 0);
	return recipe;
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

static void every_field(void **state)
{
	CLEANUP(recipe_freep)
	struct recipe *recipe = parse(
		HEAD
		"registry: h.example\n"
		"options:\n"
		"  n: {type: integer, minimum: -2, maximum: 9, default: 3, keyed: false}\n"
		"  f: {type: boolean, default: no}\n"
		"  c: {choices: [x, y], required: yes, help: h}\n"
		"variables: {c: {x: {v: 1}, y: {v: 2}}, w: 3}\n"
		"sources:\n"
		"  u: {kind: url, href: h, sha256: s, unpack: true, strip: 1, filename: f, if: i}\n"
		"  l: {kind: local, path: p, ignore: g}\n"
		"stages:\n"
		"  s:\n"
		"    from: b\n"
		"    environment: {E: F}\n"
		"    steps:\n"
		"      - {step: c, copy: l, to: /l, exclude: [x], ownership: strict}\n"
		"      - {step: i, install: d, into: /v, scrub: [q]}\n"
		"      - {step: r, run: [a, b], user: u, caches: {/c: k}, secrets: [z],\n"
		"         ownership: [{path: /p, uid: 1, gid: 2, mode: 0755}], split: true}\n"
		"images:\n"
		"  i: {stage: s, name: n, config: {labels: {a: b}, stop-signal: SIGINT,\n"
		"      command: [c], entrypoint: [e], ports: [1], volumes: [/v], workdir: /w}}\n"
		"checks: [{name: a, run: b, image: i, user: u, if: x}]\n");
	const struct recipe_step *steps = recipe->stages[0].steps;

	(void)state;
	assert_int_equal(recipe->options[0].type, OPTION_INTEGER);
	assert_int_equal(recipe->options[0].minimum, -2);
	assert_int_equal(recipe->options[0].maximum, 9);
	assert_true(recipe->options[0].has_minimum && recipe->options[0].has_maximum);
	assert_false(recipe->options[0].keyed);
	assert_int_equal(recipe->options[1].type, OPTION_BOOLEAN);
	assert_string_equal(recipe->options[1].value.text, "no");
	assert_int_equal(recipe->options[2].type, OPTION_CHOICE);
	assert_true(recipe->options[2].required && recipe->options[2].keyed);
	assert_int_equal(recipe->tables[0].count, 2);
	assert_string_equal(recipe->tables[0].rows[1].columns.items[0].value.text, "2");
	assert_string_equal(recipe->plain.items[0].name.text, "w");
	assert_int_equal(recipe->sources[0].kind, SOURCE_URL);
	assert_string_equal(recipe->sources[0].condition.text, "i");
	assert_string_equal(recipe->sources[1].ignore.text, "g");
	assert_string_equal(recipe->stages[0].from.text, "b");
	assert_string_equal(recipe->stages[0].environment.items[0].value.text, "F");
	assert_int_equal(steps[0].action, ACTION_COPY);
	assert_true(steps[0].ownership_strict);
	assert_string_equal(steps[1].argument.text, "d");
	assert_int_equal(steps[1].action, ACTION_INSTALL);
	assert_null(steps[2].argument.text);
	assert_int_equal(steps[2].command.count, 2);
	assert_int_equal(steps[2].at.line, 19);
	assert_string_equal(steps[2].ownership[0].mode.text, "0755");
	assert_string_equal(steps[2].split.text, "true");
	assert_string_equal(recipe->images[0].stop_signal.text, "SIGINT");
	assert_string_equal(recipe->images[0].volumes.items[0].text, "/v");
	assert_string_equal(recipe->checks[0].image.text, "i");
	assert_string_equal(recipe_find_source(recipe, "l")->path.text, "p");
	assert_null(recipe_find_stage(recipe, "l"));
	assert_ptr_equal(recipe_find_option(recipe, "f"), &recipe->options[1]);
}

static void digests(void **state)
{
	static const char *const same[] = {
		HEAD "variables: {a: b, c: d}\n" TAIL,
		TAIL "variables:\n  c: \"d\" # a comment\n  a: &x b\nname: r\nvarve: 1\n",
		HEAD "variables: {<<: {a: b}, c: 'd'}\n" TAIL,
	};
	CLEANUP(recipe_freep) struct recipe *first = parse(same[0]);
	CLEANUP(recipe_freep) struct recipe *other = parse(HEAD "variables: {a: b, c: e}\n" TAIL);

	(void)state;
	assert_int_equal(strlen(first->digest), 64);
	assert_string_not_equal(first->digest, other->digest);
	for (size_t i = 1; i < ARRAY_SIZE(same); i++) {
		CLEANUP(recipe_freep) struct recipe *again = parse(same[i]);

		assert_string_equal(first->digest, again->digest);
	}
}

/* --- includes ----------------------------------------------------------------------------------
 */

struct file {
	const char *name, *text;
};

static int load(void *cookie, const char *name, struct buf *out, struct varve_error *err)
{
	for (const struct file *file = cookie; file->name; file++) {
		if (!str_equal(file->name, name))
			continue;
		buf_addstr(out, file->text);
		return 0;
	}
	return varve_error_set(err, -VARVE_E_RECIPE, "no file %s", name);
}

static int parse_files(struct file *files, struct recipe **ret, struct varve_error *err)
{
	return recipe_parse(files[0].text, strlen(files[0].text), files[0].name, load, files, ret,
			    err);
}

static void includes(void **state)
{
	struct file files[] = {
		{"d/r.yaml", "varve: 1\nname: outer\ninclude: [x/a.yaml, b.yaml]\n"
			     "variables: {z: 3}\n" TAIL},
		{"d/x/a.yaml", "include: [../b.yaml, c.yaml]\nname: inner\nvariables: {x: 1}\n"},
		{"d/x/../b.yaml", "varve: 1\nvariables: {y: 2}\nchecks: [{name: a, run: b}]\n"},
		{"d/b.yaml", "checks: [{name: c, run: d}]\n"},
		{"d/x/c.yaml", "registry: h.example\n"},
		{NULL, NULL},
	};
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	CLEANUP(recipe_freep) struct recipe *flat = NULL;
	struct varve_error err = {0};

	(void)state;
	assert_int_equal(parse_files(files, &recipe, &err), 0);
	assert_string_equal(recipe->name.text, "outer");
	assert_string_equal(recipe->registry.text, "h.example");
	assert_int_equal(recipe->plain.count, 3);
	assert_string_equal(recipe->plain.items[0].name.text, "y");
	assert_string_equal(recipe->plain.items[2].name.text, "z");
	assert_string_equal(recipe->plain.items[0].name.at.file, "d/x/../b.yaml");
	assert_int_equal(recipe->check_count, 2);
	assert_string_equal(recipe->checks[0].name.text, "a");
	assert_int_equal(recipe->file_count, 5);
	flat = parse("varve: 1\nname: outer\nregistry: h.example\nvariables: {y: 2, x: 1, z: 3}\n"
		     "checks: [{name: a, run: b}, {name: c, run: d}]\n" TAIL);
	assert_string_equal(recipe->digest, flat->digest);
}

static void include_errors(void **state)
{
	static const struct {
		const char *list, *a, *b, *error;
	} cases[] = {
		{"[a]", "include: [r]\n", "", "a:1:11: \"r\" includes itself, by way of this file"},
		{"[r]", "", "", "r:3:11: \"r\" includes itself"},
		{"[a, b]", "variables: {v: 1}\n", "variables: {v: 2}\n",
		 "b:1:13: \"v\" is given twice; the first one is at a:1:13"},
		{"[a]", "stages: {s: {steps: [{step: x, run: y}]}}\n", "",
		 "r:4:10: \"s\" is given twice; the first one is at a:1:10"},
		{"[a]", "varve: 2\n", "",
		 "a:1:8: version \"2\" of the language is not known; this varve reads 1"},
		{"[a]", "sauces: {}\n", "",
		 "a:1:1: unknown key \"sauces\" in the recipe; did you mean \"sources\"?\n"
		 "keys of a recipe: varve, name, include, registry, options, variables, sources, "
		 "stages, images, checks"},
		{"[c]", "", "", "r:3:11: include \"c\": no file c"},
		{"[/a]", "", "", "r:3:11: \"/a\" is no file name relative to this file"},
		{"[\"\"]", "", "", "r:3:11: \"\" is no file name relative to this file"},
		{"a", "", "",
		 "r:3:10: \"include\" must be a list, not a single value; a list is written [a, b] or "
		 "as lines that start with \"- \""},
		{"[a]", "stages: []\n", "",
		 "r:4:9: stages must be a list, not a map; a list is written [a, b] or as lines that "
		 "start with \"- \""},
		{"[a]", "", "", "a:1:1: the file is empty"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_ptr) char *text = xasprintf(HEAD "include: %s\n" TAIL, cases[i].list);
		struct file files[] = {
			{"r", text}, {"a", cases[i].a}, {"b", cases[i].b}, {NULL, NULL}};
		CLEANUP(recipe_freep) struct recipe *recipe = NULL;
		struct varve_error err = {0};

		assert_int_equal(parse_files(files, &recipe, &err), -VARVE_E_RECIPE);
		assert_string_equal(err.text, cases[i].error);
	}
}

/* Every file includes one more, without end. */
static int load_next(void *cookie, const char *name, struct buf *out, struct varve_error *err)
{
	unsigned *count = cookie;

	(void)name;
	(void)err;
	++*count;
	buf_addf(out, "include: [n%u]\n", *count);
	return 0;
}

static void include_depth(void **state)
{
	const char *text = HEAD "include: [n]\n" TAIL;
	struct recipe *recipe = NULL;
	struct varve_error err = {0};
	unsigned count = 0;

	(void)state;
	assert_int_equal(recipe_parse(text, strlen(text), "r", load_next, &count, &recipe, &err),
			 -VARVE_E_RECIPE);
	assert_string_equal(err.text, "n7:1:11: includes are more than 8 levels deep");
	assert_int_equal(count, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_errors),       cmocka_unit_test(shape_errors),
		cmocka_unit_test(hostile_shapes),    cmocka_unit_test(too_many_values),
		cmocka_unit_test(billion_laughs),    cmocka_unit_test(deep_by_aliases),
		cmocka_unit_test(bomb_by_merges),    cmocka_unit_test(many_anchors),
		cmocka_unit_test(bad_bytes),         cmocka_unit_test(every_prefix),
		cmocka_unit_test(values_as_written), cmocka_unit_test(merge_keys),
		cmocka_unit_test(every_field),       cmocka_unit_test(digests),
		cmocka_unit_test(includes),          cmocka_unit_test(include_errors),
		cmocka_unit_test(include_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
