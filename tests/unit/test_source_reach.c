/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "source/source_mirror.h"
#include "source/source_reach.h"

static const struct list_case {
	const char *what, *mirrors, *apt; /* mirrors: separated by blanks */
	const char *urls; /* "name url" lines */
} list_cases[] = {
	{"nothing", "", "", ""},
	{"apt", "",
	 "deb http://a/debian bookworm main\ndeb http://a/debian bookworm-updates main\n",
	 "apt http://a/debian/dists/bookworm/InRelease\n"
	 "apt http://a/debian/dists/bookworm-updates/InRelease\n"},
	{"a mirror takes a suite of apt's", "debian=http://b/debian/",
	 "deb http://a/debian trixie main\n",
	 "debian http://b/debian/dists/trixie/InRelease\n"
	 "apt http://a/debian/dists/trixie/InRelease\n"},
	{"else stable", "debian=http://b/d debian-security=http://b/s", "",
	 "debian http://b/d/dists/stable/InRelease\n"
	 "debian-security http://b/s/dists/stable-security/InRelease\n"},
	{"others as they are", "debian-snapshot=http://b/snap python=https://c/simple/", "",
	 "debian-snapshot http://b/snap\npython https://c/simple/\n"},
	{"the last setting counts", "debian=http://a debian-x=http://c debian=http://b", "",
	 "debian-x http://c/dists/stable/InRelease\ndebian http://b/dists/stable/InRelease\n"},
	{"each place once", "debian=http://a/debian", "deb http://a/debian bookworm main\n",
	 "debian http://a/debian/dists/bookworm/InRelease\n"},
	{"flat archives", "", "deb http://a/flat ./\n", "apt http://a/flat/./InRelease\n"},
};

static void split(const char *text, struct strv *ret)
{
	CLEANUP(free_ptr) char *copy = xstrdup(text);
	char *rest = copy, *word;

	while ((word = strsep(&rest, " ")))
		if (*word)
			strv_add(ret, word);
}

static void test_list(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(list_cases); i++) {
		CLEANUP(source_reaches_release) struct source_reaches reaches = {0};
		CLEANUP(apt_archives_release) struct apt_archives archives = {0};
		CLEANUP(strv_release) struct strv mirrors = STRV_INIT;
		CLEANUP(buf_release) struct buf got = BUF_INIT;

		split(list_cases[i].mirrors, &mirrors);
		apt_parse_list(list_cases[i].apt, &archives);
		source_reaches_list(&mirrors, &archives, &reaches);
		for (j = 0; j < reaches.count; j++)
			buf_addf(&got, "%s %s\n", reaches.items[j].name, reaches.items[j].url);
		if (strcmp(buf_text(&got), list_cases[i].urls) != 0)
			fail_msg("%s:\n%s", list_cases[i].what, buf_text(&got));
	}
}

/* Credentials are for the server, not for the screen. */
static void test_shown(void **state)
{
	CLEANUP(source_reaches_release) struct source_reaches reaches = {0};
	CLEANUP(strv_release) struct strv mirrors = STRV_INIT;
	struct apt_archives archives = {0};

	(void)state;
	strv_add(&mirrors, "debian=http://ada:secret@a/debian");
	source_reaches_list(&mirrors, &archives, &reaches);
	assert_non_null(strstr(reaches.items[0].url, "secret"));
	assert_null(strstr(reaches.items[0].shown, "secret"));
}

static void test_ask(void **state)
{
	CLEANUP(source_reaches_release) struct source_reaches reaches = {0};
	CLEANUP(strv_release) struct strv mirrors = STRV_INIT;
	struct apt_archives archives = {0};
	struct varve_error err = {0};

	(void)state;
	strv_add(&mirrors, "debian=file:///nowhere");
	strv_add(&mirrors, "other=file:///proc/self/status");
	strv_add(&mirrors, "closed=http://127.0.0.1:1/");
	source_reaches_list(&mirrors, &archives, &reaches);
	assert_int_equal(source_reaches_ask(&reaches, &err), 0);
	assert_false(reaches.items[0].answers);
	assert_true(*reaches.items[0].why);
	assert_true(reaches.items[1].answers);
	assert_false(reaches.items[2].answers);
	assert_null(strchr(reaches.items[2].why, '\n'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
