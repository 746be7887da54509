/* SPDX-License-Identifier: Apache-2.0 */
#include "base/toml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"

/* json: canonical, or NULL; then error is a part of the message. */
static const struct {
	const char *toml, *json, *error;
} cases[] = {
	{"", "{}", NULL},
	{"# only a comment", "{}", NULL},
	{"a = 1\nb = true # yes\r\nc = false\n", "{\"a\":1,\"b\":true,\"c\":false}", NULL},
	{"\"a b\" = 'c\\d'\n'q\"' = \"\\u00e4\\t\\\"\"",
	 "{\"a b\":\"c\\\\d\",\"q\\\"\":\"\xc3\xa4\\t\\\"\"}", NULL},
	{"x = \"\\U0001F600\"", "{\"x\":\"\xf0\x9f\x98\x80\"}", NULL},
	{"x = \"\"\"\nline\n  two \\\n   more\"\"\"", "{\"x\":\"line\\n  two more\"}", NULL},
	{"x = '''\n''a''''", "{\"x\":\"''a'\"}", NULL},
	{"a = [1, 2,\n 3, # three\n]\nb=[[],['x']]", "{\"a\":[1,2,3],\"b\":[[],[\"x\"]]}", NULL},
	{"t = {a = 1, b.c = 'x'}", "{\"t\":{\"a\":1,\"b\":{\"c\":\"x\"}}}", NULL},
	{"a.b.c = 1\na.b.d = 2", "{\"a\":{\"b\":{\"c\":1,\"d\":2}}}", NULL},
	{"[a]\nx=1\n[a.b]\ny=2\n[ c . 'd e' ]\n",
	 "{\"a\":{\"b\":{\"y\":2},\"x\":1},\"c\":{\"d e\":{}}}", NULL},
	{"[[r]]\np='1'\n[[r.m]]\nl='a'\n[[r.m]]\nl='b'\n[[r]]\np='2'\n[r.t]\nq=1",
	 "{\"r\":[{\"m\":[{\"l\":\"a\"},{\"l\":\"b\"}],\"p\":\"1\"},{\"p\":\"2\",\"t\":{\"q\":1}}]}",
	 NULL},
	{"a = 1979-05-27 07:32:00Z\nb = -1\nc = 1.5\nd = 0xff ",
	 "{\"a\":\"1979-05-27 07:32:00Z\",\"b\":\"-1\",\"c\":\"1.5\",\"d\":\"0xff\"}", NULL},
	{"a = b", NULL, "w:1: no value: strings stand in quotes"},
	{"\n\na", NULL, "w:3: \"=\" is expected"},
	{"a = ", NULL, "w:1: a value is expected"},
	{"a = 1 b = 2", NULL, "the line should end here"},
	{"a = 'x", NULL, "a string without an end"},
	{"a = 'x\n'", NULL, "w:1: a string without an end"},
	{"a = '''x", NULL, "a string without an end"},
	{"a = \"\\x\"", NULL, "an unknown escape"},
	{"a = \"\\ud800\"", NULL, "no such character"},
	{"a = \"\\u12\"", NULL, "4 hexadecimal digits"},
	{"a = \"\x01\"", NULL, "a control character"},
	{"a = [1 2]", NULL, "\",\" or \"]\""},
	{"a = {b = 1", NULL, "\",\" or \"}\""},
	{"a = [", NULL, "a value is expected"},
	{"a = 1\na = 2", NULL, "w:2: the key was used before"},
	{"a = 1\na.b = 2", NULL, "the key was used before"},
	{"a = 1\n[a]", NULL, "the key was used before"},
	{"a = []\n[a.b]", NULL, "the key was used before"},
	{"[[a]]\n[a]", NULL, "an array of tables"},
	{"[a]\n[[a]]", NULL, "the key was used before"},
	{"[a", NULL, "ends with \"]\""},
	{"[[a]", NULL, "ends with \"]\""},
	{"[]", NULL, "a key is expected"},
	{"= 1", NULL, "a key is expected"},
	{"a. = 1", NULL, "a key is expected"},
};

static void reads_and_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(json_decrefp) json_t *document = NULL;
		CLEANUP(buf_release) struct buf text = BUF_INIT;
		struct varve_error err = {0};
		int r = toml_parse(cases[i].toml, strlen(cases[i].toml), "w", &document, &err);

		if (r == 0)
			json_canonical(document, &text);
		if (cases[i].json ? r != 0 || !str_equal(buf_text(&text), cases[i].json)
				  : r != -VARVE_E_FORMAT || !strstr(err.text, cases[i].error))
			fail_msg("%s: %d %s%s", cases[i].toml, r, buf_text(&text), err.text);
	}
}

static int parse(const char *text, size_t len)
{
	CLEANUP(json_decrefp) json_t *document = NULL;

	return toml_parse(text, len, "w", &document, NULL);
}

static void has_limits(void **state)
{
	CLEANUP(buf_release) struct buf deep = BUF_INIT;
	CLEANUP(buf_release) struct buf dots = BUF_INIT;
	CLEANUP(buf_release) struct buf large = BUF_INIT;

	(void)state;
	buf_addstr(&deep, "a = ");
	for (int i = 0; i < 100000; i++) {
		buf_addc(&deep, '[');
		buf_addstr(&dots, "a.");
	}
	for (int i = 0; i <= TOML_LIMIT; i++)
		buf_addc(&large, '\n');
	assert_int_equal(parse(deep.data, deep.len), -VARVE_E_FORMAT);
	assert_int_equal(parse(dots.data, dots.len), -VARVE_E_FORMAT);
	assert_int_equal(parse(large.data, large.len), -VARVE_E_LIMIT);
	assert_int_equal(parse("a\0b", 3), -VARVE_E_FORMAT);
}

/* Each beginning of a document is read or refused, and nothing is read behind its end. */
static void survives_being_cut(void **state)
{
	static const char text[] =
		"a.\"b\" = [\"\\u00e4\", '''x\n''', {c = 1}] # end\n[[d.e]]\nf = 1\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		CLEANUP(free_ptr) char *exact = xmalloc(len ? len : 1);
		int r;

		memcpy(exact, text, len);
		r = parse(exact, len);
		assert_true(r == 0 || r == -VARVE_E_FORMAT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_refuses),
		cmocka_unit_test(has_limits),
		cmocka_unit_test(survives_being_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
