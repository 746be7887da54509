/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record_propose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define PAGE "application/vnd.pypi.simple.v1+json"
#define NO_NAME                                                                                    \
	": this machine has no name for the index: --mirror NAME=URL gives it one, "               \
	"\"index\" of the python source uses it\n"

/* One exchange; body 0: none came whole. */
struct line {
	const char *method, *url;
	unsigned status;
	int body;
	const char *location, *type, *python, *why;
};
static const struct {
	const char *what;
	struct line lines[4];
	const char *proposal; /* sources, then notes */
} cases[] = {
	{"two files, in the order of their URLs",
	 {{.method = "GET", .url = "http://h/b", .status = 200, .body = 2},
	  {.method = "GET", .url = "http://h/a", .status = 200, .body = 1}},
	 "a http://h/a\nb http://h/b\n"},
	{"a redirection is one source",
	 {{.method = "GET",
	   .url = "http://h/z",
	   .status = 302,
	   .body = 0,
	   .location = "https://h/b"},
	  {.method = "GET", .url = "https://h/b", .status = 200, .body = 2}},
	 "b http://h/z\n"},
	{"redirections in a circle",
	 {{.method = "GET",
	   .url = "http://h/a",
	   .status = 302,
	   .body = 0,
	   .location = "http://h/b"},
	  {.method = "GET",
	   .url = "http://h/b",
	   .status = 302,
	   .body = 0,
	   .location = "http://h/a"}},
	 ""},
	{"never from https to http",
	 {{.method = "GET",
	   .url = "https://h/z",
	   .status = 302,
	   .body = 0,
	   .location = "http://h/b"},
	  {.method = "GET", .url = "http://h/b", .status = 200, .body = 2}},
	 "b http://h/b\n"},
	{"two bodies",
	 {{.method = "GET", .url = "http://h/a", .status = 200, .body = 1},
	  {.method = "GET", .url = "http://h/a", .status = 200, .body = 2}},
	 "! GET http://h/a: each request gets another answer\n"},
	{"one body twice",
	 {{.method = "GET", .url = "http://h/a", .status = 200, .body = 1},
	  {.method = "GET", .url = "http://h/a", .status = 200, .body = 1}},
	 "a http://h/a\n"},
	{"names that are no file's",
	 {{.method = "GET", .url = "http://h/x/..", .status = 200, .body = 1},
	  {.method = "GET", .url = "http://h/a/", .status = 200, .body = 2}},
	 "index http://h/a/\nfile http://h/x/..\n"},
	{"two files of one name",
	 {{.method = "GET", .url = "http://h/a", .status = 200, .body = 1},
	  {.method = "GET", .url = "http://i/a", .status = 200, .body = 2}},
	 "a http://h/a\na-2 http://i/a\n"},
	{"queries",
	 {{.method = "GET", .url = "http://h/a?raw=true&ref=v1.2", .status = 200, .body = 1},
	  {.method = "GET", .url = "http://h/b?p=hunter2", .status = 200, .body = 2},
	  {.method = "GET", .url = "http://h/c?hunter2", .status = 200, .body = 2},
	  {.method = "GET", .url = "http://h/d?raw=true&ref=a%20b", .status = 200, .body = 2}},
	 "a http://h/a?raw=true&ref=v1.2\n"
	 "! GET http://h/b: its address has a query, which may hold a secret\n"
	 "! GET http://h/c: its address has a query, which may hold a secret\n"
	 "! GET http://h/d: its address has a query, which may hold a secret\n"},
	{"a Debian package",
	 {{.method = "GET", .url = "http://h/a.deb", .status = 200, .body = 1}},
	 "! GET http://h/a.deb: a Debian package belongs into a debian source\n"},
	{"a mirror of this machine is symbolic",
	 {{.method = "GET", .url = "http://mirror/x/a", .status = 200, .body = 1}},
	 "! GET debian:a: it lies on this machine's own mirror: name its public URL\n"},
	{"look-ups with and without requests",
	 {{.method = "LOOKUP", .url = "h", .why = "nothing"},
	  {.method = "LOOKUP", .url = "i", .why = "nothing"},
	  {.method = "GET", .url = "http://H:80/a", .status = 200, .body = 1}},
	 "a http://H:80/a\n! LOOKUP i: nothing\n"},
	{"wheels, their metadata and pages",
	 {{.method = "GET",
	   .url = "http://index/simple/a-b/",
	   .status = 200,
	   .body = 1,
	   .type = PAGE},
	  {.method = "GET",
	   .url = "http://files/A_b-1.0-py3-none-any.whl",
	   .status = 200,
	   .body = 2,
	   .python = "3.11"},
	  {.method = "GET",
	   .url = "http://files/A_b-1.0-py3-none-any.whl.metadata",
	   .status = 200,
	   .body = 3},
	  {.method = "GET", .url = "http://files/c-1-py3-none-any.whl", .status = 200, .body = 3}},
	 "c-1-py3-none-any-whl http://files/c-1-py3-none-any.whl\n"
	 "python 3.11 a-b==1.0\n"},
	{"wheels tell the version, or two",
	 {{.method = "GET", .url = "http://cuda/simple/a/", .status = 200, .body = 1, .type = PAGE},
	  {.method = "GET",
	   .url = "http://cuda/simple/a/a-1-cp312-cp312-linux_x86_64.whl",
	   .status = 200,
	   .body = 2}},
	 "python 3.12 cuda a==1\n"},
	{"several versions are none",
	 {{.method = "GET",
	   .url = "http://index/simple/a/",
	   .status = 200,
	   .body = 1,
	   .type = PAGE},
	  {.method = "GET",
	   .url = "http://files/a-1-cp312-cp312-linux_x86_64.whl",
	   .status = 200,
	   .body = 2},
	  {.method = "GET",
	   .url = "http://files/a-1-cp311-cp311-linux_x86_64.whl",
	   .status = 200,
	   .body = 3},
	  {.method = "GET",
	   .url = "http://files/a-1-cp310-abi3-linux_x86_64.whl",
	   .status = 200,
	   .body = 4}},
	 "python a==1\n"},
	{"a source distribution, from an index without a name",
	 {{.method = "GET",
	   .url = "http://other/simple/a/",
	   .status = 200,
	   .body = 1,
	   .type = "text/html"},
	  {.method = "GET", .url = "http://files/a-1.tar.gz", .status = 200, .body = 2}},
	 "python-sdists sdist a==1\n! GET http://other/simple/a/" NO_NAME},
};

static void fill(const struct line *lines, struct record_log *ret)
{
	size_t i;

	for (i = 0; i < 4 && lines[i].method; i++) {
		const struct line *line = &lines[i];
		struct record_exchange one = {.method = xstrdup(line->method),
					      .url = xstrdup(line->url),
					      .status = line->status,
					      .location = line->location ? xstrdup(line->location)
									 : NULL,
					      .type = xstrdup(line->type ? line->type : ""),
					      .python = line->python ? xstrdup(line->python) : NULL,
					      .why = line->why ? xstrdup(line->why) : NULL};
		CLEANUP(json_decrefp) json_t *object = NULL;
		struct record_exchange back;

		if (line->body)
			memset(&one.sha256, line->body, sizeof(one.sha256));
		/* The way that each goes from the proxy to us. */
		object = record_exchange_to_json(&one);
		assert_int_equal(record_exchange_from_json(object, &back), 0);
		record_exchange_release(&one);
		record_log_add(ret, &back);
	}
}

static void tell_source(const char *name, const json_t *source, struct buf *out)
{
	size_t i;
	json_t *item;

	buf_addstr(out, name);
	if (json_object_get(source, "href"))
		buf_addf(out, " %s", json_string_value(json_object_get(source, "href")));
	if (json_object_get(source, "python"))
		buf_addf(out, " %s", json_string_value(json_object_get(source, "python")));
	if (json_object_get(source, "sdist"))
		buf_addstr(out, " sdist");
	json_array_foreach(json_object_get(source, "index"), i, item)
		buf_addf(out, " %s", json_string_value(item));
	json_array_foreach(json_object_get(source, "requirements"), i, item)
		buf_addf(out, " %s", json_string_value(item));
	buf_addc(out, '\n');
}

static void test_cases(void **state)
{
	CLEANUP(strv_release) struct strv settings = STRV_INIT;
	size_t i, n;

	(void)state;
	strv_add(&settings, "debian=http://mirror/debian");
	strv_add(&settings, "pypi=http://index/simple/");
	strv_add(&settings, "cuda=http://cuda/simple");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(record_log_release) struct record_log log = {0};
		CLEANUP(record_proposal_release) struct record_proposal proposal = {0};
		CLEANUP(buf_release) struct buf out = BUF_INIT;
		CLEANUP(json_decrefp) json_t *object = NULL;
		const char *name;
		json_t *source;

		fill(cases[i].lines, &log);
		record_propose(&log, &settings, &proposal);
		object = record_proposal_to_json(&proposal);
		json_object_foreach(json_object_get(object, "sources"), name, source)
			tell_source(name, source, &out);
		for (n = 0; n < proposal.notes.count; n++)
			buf_addf(&out, "! %s\n", proposal.notes.items[n]);
		if (strcmp(buf_text(&out), cases[i].proposal) != 0)
			fail_msg("%s:\n%s", cases[i].what, buf_text(&out));
	}
}

static void test_log_that_is_none(void **state)
{
	static const char *const texts[] = {
		"[]", "{}", "{\"method\":1}",
		"{\"method\":\"GET\",\"url\":\"u\",\"type\":\"\",\"status\":-1,\"size\":0}"};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(json_decrefp) json_t *object = NULL;
		struct record_exchange one;

		assert_int_equal(json_parse(texts[i], strlen(texts[i]), "x", &object, NULL), 0);
		assert_int_equal(record_exchange_from_json(object, &one), -VARVE_E_FORMAT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_log_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
