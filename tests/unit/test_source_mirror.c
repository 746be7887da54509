/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source_mirror.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "scratch.h"
#include "source/source_kind.h"

/* --- apt's files
 * ----------------------------------------------------------------------------------- */

struct parse_case {
	const char *name, *text;
	const char *expected; /* "URI suite suite;URI suite;" */
};

static const struct parse_case lists[] = {
	{"one", "deb http://example.org/debian bookworm main\n",
	 "http://example.org/debian bookworm;"},
	{"options, tabs, comment, no newline",
	 "# deb http://no.example.org/ x main\ndeb [arch=amd64 signed-by=/k.gpg]\thttps://example.org/d/ "
	 "trixie main contrib # deb",
	 "https://example.org/d trixie;"},
	{"a comment with brackets", "deb http://example.org/debian x main # [old]\n",
	 "http://example.org/debian x;"},
	{"sources are none", "deb-src http://example.org/debian bookworm main\n", ""},
	{"a path", "deb file:/srv/debian bookworm main\ndeb file:///srv/two x main\n",
	 "file:///srv/debian bookworm;file:///srv/two x;"},
	{"other methods", "deb cdrom:[Debian 12]/ bookworm main\ndeb copy:/x y main\n", ""},
	{"nonsense", "deb\ndeb http://example.org\n]deb[ x\n\n", ""},
	{"empty", "", ""},
};

static const struct parse_case stanzas[] = {
	{"one",
	 "Types: deb\nURIs: http://example.org/debian\nSuites: bookworm bookworm-updates\n"
	 "Components: main\n",
	 "http://example.org/debian bookworm bookworm-updates;"},
	{"two stanzas, comments, folded",
	 "# first\nTypes: deb deb-src\nURIs: http://a.example.org/debian\n http://b.example.org/debian/\n"
	 "Suites:\n one\n# between\n two\n\n \nTypes: deb\nURIs: http://c.example.org/x\nSuites: three\n",
	 "http://a.example.org/debian one two;http://b.example.org/debian one two;"
	 "http://c.example.org/x three;"},
	{"names in any case", "types: deb\nuris: http://example.org/x\nsuites: y\n",
	 "http://example.org/x y;"},
	{"switched off", "Enabled: no\nTypes: deb\nURIs: http://example.org/x\nSuites: y\n", ""},
	{"switched off in another way",
	 "Enabled: False\nTypes: deb\nURIs: http://example.org/x\nSuites: y\n", ""},
	{"switched on", "Enabled: yes\nTypes: deb\nURIs: http://example.org/x\nSuites: y\n",
	 "http://example.org/x y;"},
	{"sources are none", "Types: deb-src\nURIs: http://example.org/x\nSuites: y\n", ""},
	{"a key inside",
	 "Types: deb\nURIs: http://example.org/x\nSuites: y\nSigned-By:\n -----BEGIN\n .\n"
	 " URIs: http://evil.example.org/\n",
	 "http://example.org/x y;"},
	{"empty", "\n\n", ""},
};

static void check_parse(const struct parse_case *c,
			void (*parse)(const char *text, struct apt_archives *ret))
{
	CLEANUP(apt_archives_release) struct apt_archives archives = {0};
	CLEANUP(buf_release) struct buf got = BUF_INIT;

	parse(c->text, &archives);
	for (size_t i = 0; i < archives.count; i++) {
		CLEANUP(free_ptr) char *suites = strv_join(&archives.items[i].suites, " ");

		buf_addf(&got, "%s %s;", archives.items[i].uri, suites);
	}
	if (strcmp(buf_text(&got), c->expected) != 0)
		fail_msg("%s: %s", c->name, buf_text(&got));
}

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		check_parse(&lists[i], apt_parse_list);
	for (size_t i = 0; i < ARRAY_SIZE(stanzas); i++)
		check_parse(&stanzas[i], apt_parse_deb822);
}

static void test_read(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(apt_archives_release) struct apt_archives archives = {0};
	CLEANUP(apt_archives_release) struct apt_archives none = {0};
	CLEANUP(free_ptr) char *absent = xasprintf("%s/absent", s->path);

	assert_int_equal(fd_mkdir_p(s->fd, "sources.list.d", 0755), 0);
	scratch_write(s, "sources.list", "deb http://example.org/1 x main\n");
	scratch_write(s, "sources.list.d/b.list", "deb http://example.org/3 x main\n");
	scratch_write(s, "sources.list.d/a.sources",
		      "Types: deb\nURIs: http://example.org/2\nSuites: x\n");
	scratch_write(s, "sources.list.d/c.list.disabled", "deb http://example.org/4 x main\n");
	apt_sources_read(s->path, &archives);
	assert_int_equal(archives.count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(archives.items[i].uri[strlen("http://example.org/")],
				 '1' + (int)i);
	apt_sources_read(absent, &none);
	assert_int_equal(none.count, 0);
}

/* --- the choice
 * ------------------------------------------------------------------------------------ */

static void test_choose(void **state)
{
	static const struct {
		const char *name, *suite, *expected;
	} choices[] = {
		{"debian", "bookworm", "http://b.example.org/debian"},
		{"debian", "sid", "http://a.example.org/debian"}, /* the first with the name */
		{"debian-security", "bookworm-security", "http://c.example.org/debian-security"},
		{"ubuntu", "noble", "http://d.example.org/mirror"}, /* by its suite alone */
		{"ubuntu", "jammy", NULL},
		{"ian", "nothing", NULL},
	};
	CLEANUP(apt_archives_release) struct apt_archives archives = {0};

	(void)state;
	apt_parse_list("deb http://a.example.org/debian trixie main\n"
		       "deb http://b.example.org/debian bookworm main\n"
		       "deb http://c.example.org/debian-security bookworm-security main\n"
		       "deb http://d.example.org/mirror noble main\n",
		       &archives);
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		const char *got = apt_choose(&archives, choices[i].name, choices[i].suite);

		if (!str_equal(got, choices[i].expected))
			fail_msg("%s %s: %s", choices[i].name, choices[i].suite,
				 got ? got : "none");
	}
}

static void test_settings(void **state)
{
	CLEANUP(strv_release) struct strv mirrors = STRV_INIT;
	CLEANUP(free_ptr) char *url = NULL;
	CLEANUP(free_ptr) char *dated = NULL;
	CLEANUP(free_ptr) char *undated = NULL;
	CLEANUP(json_decrefp) json_t *spec = json_object();
	struct source_context context = {.mirrors = &mirrors};

	(void)state;
	strv_add(&mirrors, "x=http://example.org/old");
	strv_add(&mirrors, "x-snapshot=http://example.org/snap/");
	strv_add(&mirrors, "x=http://example.org/new/");
	assert_int_equal(source_mirror(&context, "x", "any", &url, NULL), 0);
	assert_string_equal(url, "http://example.org/new");
	json_set(spec, "snapshot", json_text(""));
	assert_int_equal(source_archive_url(&context, spec, "x", "any", &undated, NULL), 0);
	assert_string_equal(undated, "http://example.org/new");
	json_set(spec, "snapshot", json_text("20261101T000000Z"));
	assert_int_equal(source_archive_url(&context, spec, "x", "any", &dated, NULL), 0);
	assert_string_equal(dated, "http://example.org/snap/20261101T000000Z");
}

static void test_unknown(void **state)
{
	struct source_context context = {0};
	struct varve_error err = {0};
	char *url = NULL;

	(void)state;
	assert_int_equal(source_mirror(&context, "no-such-name", "no-such-suite", &url, &err),
			 -VARVE_E_HOST);
	assert_null(url);
	assert_non_null(strstr(err.text, "--mirror no-such-name=URL"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),   SCRATCH_TEST(test_read),
		cmocka_unit_test(test_choose),  cmocka_unit_test(test_settings),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
