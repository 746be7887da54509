/* SPDX-License-Identifier: Apache-2.0
 * The pure parts of git sources: refs, commits, URLs, submodules, patterns, surroundings. */
#include "source/git_refs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "recipe/recipe_grammar.h"
#include "source/git_command.h"
#include "source/git_tree.h"
#include "source/git_url.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* --- refs --------------------------------------------------------------------------------------
 */

static const char listing[] = "ref: refs/heads/main\tHEAD\n" A "\tHEAD\n" A "\trefs/heads/main\n" B
			      "\trefs/heads/both\n" A "\trefs/tags/both\n" B "\trefs/tags/v1\n" A
			      "\trefs/tags/v1^{}\n" A "\trefs/heads/same\n" A "\trefs/tags/same\n";

static void test_choose(void **state)
{
	static const struct {
		const char *text, *name, *hex;
		int result;
	} cases[] = {
		{"", "HEAD", A, 0},
		{"HEAD", "HEAD", A, 0},
		{"main", "refs/heads/main", A, 0},
		{"v1", "refs/tags/v1", A, 0}, /* what the tag names */
		{"refs/tags/v1", "refs/tags/v1", A, 0},
		{"same", "refs/heads/same", A, 0},
		{"both", NULL, NULL, -VARVE_E_RESOLVE},
		{"refs/heads/both", "refs/heads/both", B, 0},
		{"heads/main", NULL, NULL, 0},
		{"absent", NULL, NULL, 0},
	};
	CLEANUP(git_refs_release) struct git_refs refs = {0};

	(void)state;
	assert_int_equal(git_refs_parse(listing, &refs, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct git_ref *ref = NULL;

		assert_int_equal(git_refs_choose(&refs, cases[i].text, &ref, NULL),
				 cases[i].result);
		assert_true(!ref == !cases[i].name);
		if (!ref)
			continue;
		assert_string_equal(ref->name, cases[i].name);
		assert_string_equal(ref->hex, cases[i].hex);
	}
	assert_string_equal(refs.items[0].target, "refs/heads/main");
	assert_string_equal(git_refs_nearest(&refs, "mian"), "main");
	assert_null(git_refs_nearest(&refs, "something else"));
}

static void test_listings_that_are_none(void **state)
{
	static const char *const texts[] = {"x", "x\ty", A, A "\t", "<html>\n", "g" A "\trefs/x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct git_refs refs = {0};

		assert_int_equal(git_refs_parse(texts[i], &refs, NULL), -VARVE_E_FORMAT);
	}
}

static void test_names_of_objects(void **state)
{
	(void)state;
	assert_true(git_is_object(A));
	assert_true(git_is_object(A "aaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_false(git_is_object(A "a"));
	assert_false(git_is_object("AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_true(git_is_abbreviation("abcdef0"));
	assert_false(git_is_abbreviation("abcdef"));
	assert_false(git_is_abbreviation("abcdefg"));
}

static void test_commits(void **state)
{
	static const struct {
		const char *text;
		long long date;
		int result;
	} cases[] = {
		{"tree " A "\nparent " B
		 "\nauthor x <y> 1 +0000\ncommitter C <c> 1700000000 +0100\n\n"
		 "tree " B "\ncommitter D <d> 5 +0000\n",
		 1700000000, 0},
		{"tree " A "\ncommitter a b <c> 1 2> 7 -0000\n", 7, 0},
		{"tree " A "\ncommitter x <y> -5 +0000\n", 0, 0},
		{"tree " A "\ncommitter x <y> 99999999999999999999 +0000\n", 0, 0},
		{"tree " A "\ncommitter \n", 0, 0},
		{"tree " A "\n\ncommitter x <y> 1 +0000\n", 0, -VARVE_E_FORMAT},
		{"tree aa\ncommitter x <y> 1 +0000\n", 0, -VARVE_E_FORMAT},
		{"", 0, -VARVE_E_FORMAT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char tree[GIT_HEX] = "";
		long long date = 0;

		assert_int_equal(git_commit_parse(cases[i].text, tree, &date, NULL),
				 cases[i].result);
		if (cases[i].result == 0)
			assert_string_equal(tree, A);
		assert_true(date == cases[i].date);
	}
}

/* --- URLs --------------------------------------------------------------------------------------
 */

static void test_grammar_of_urls(void **state)
{
	static const char *const good[] = {"https://h/x",
					   "http://h:80/x.git",
					   "ssh://git@h:22/x",
					   "git://h/x",
					   "file:///x",
					   "/x",
					   "./x",
					   "../x",
					   "git@h:team/x",
					   "h:x",
					   "https://u@h/x"};
	static const char *const bad[] = {"",
					  "x",
					  "-x",
					  "--upload-pack=x",
					  "ext::sh -c x",
					  "fd::3",
					  "https://",
					  "https:///x",
					  "ssh://-o/x",
					  "ssh://u@-o/x",
					  "https://u:p@h/x",
					  "ftp://h/x",
					  "a b:x",
					  "h:-x",
					  "-o:x",
					  "file://h/x",
					  "h:x\n",
					  "transport::https://h/x",
					  "h:"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!grammar_matches(GRAMMAR_GIT_URL, good[i]))
			fail_msg("%s is refused", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (grammar_matches(GRAMMAR_GIT_URL, bad[i]))
			fail_msg("%s is taken", bad[i]);
}

static void test_submodule_urls(void **state)
{
	static const struct {
		const char *parent, *text, *url; /* NULL: refused */
	} cases[] = {
		{"https://h/a/b", "../c", "https://h/a/c"},
		{"https://h/a/b/", "../c", "https://h/a/c"},
		{"https://h/a/b", "./c", "https://h/a/b/c"},
		{"https://h/a/b", "../../c", "https://h/c"},
		{"https://h/a", "../../../c", NULL},
		{"git@h:a/b", "../c", "git@h:a/c"},
		{"git@h:b", "../c", "git@h:c"},
		{"git@h:b", "../../c", "git@h:c"},
		{"/srv/a", "../b", "/srv/b"},
		{"/srv/a", "/etc", "/etc"},
		{"file:///srv/a", "../b", "file:///srv/b"},
		{"https://h/a", "https://other/x", "https://other/x"},
		{"https://h/a", "/etc", NULL},
		{"https://h/a", "file:///etc", NULL},
		{"https://h/a", "-x", NULL},
		{"https://h/a", "ext::x", NULL},
		{"https://h/a", "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_ptr) char *url = NULL;
		int r = git_url_submodule(cases[i].parent, cases[i].text, &url, NULL);

		assert_int_equal(r, cases[i].url ? 0 : -VARVE_E_RESOLVE);
		if (cases[i].url)
			assert_string_equal(url, cases[i].url);
	}
}

/* --- trees -------------------------------------------------------------------------------------
 */

static void test_links(void **state)
{
	static const char rows[] = "100644 blob " A "\ta\0"
				   "160000 commit " B "\tlib/x\0"
				   "160000 commit " A "\tlib/y\0";
	static const char config[] =
		"submodule.one.path\nlib/x\0submodule.one.url\n../x\0"
		"submodule.a.b.url\nold\0submodule.a.b.path\nlib/y\0"
		"submodule.a.b.url\nnew\0submodule.a.b.path\0core.path\nlib/y\0"
		"submodule.\0submodule.path\nlib/x\0";
	CLEANUP(git_links_release) struct git_links links = {0};
	struct git_links bad = {0};

	(void)state;
	assert_int_equal(git_links_parse(rows, sizeof(rows) - 1, &links, NULL), 0);
	assert_int_equal(links.count, 2);
	git_links_take_urls(config, sizeof(config) - 1, &links);
	assert_string_equal(links.items[0].path, "lib/x");
	assert_string_equal(links.items[0].url, "../x");
	assert_string_equal(links.items[1].url, "new");
	assert_string_equal(links.items[1].commit, A);
	assert_int_equal(git_links_parse("160000 commit " A "\t../x", 59, &bad, NULL),
			 -VARVE_E_FORMAT);
	assert_int_equal(git_links_parse("160000 commit aa\tx", 18, &bad, NULL), -VARVE_E_FORMAT);
}

static void test_patterns(void **state)
{
	static const struct {
		const char *path;
		bool excluded;
	} cases[] = {{"docs", true},      {"docs/a", true},    {"x/docs/a", true},
		     {"docs2", false},    {"a.md", true},      {"x/a.md", true},
		     {"lib/old", true},   {"lib/old/x", true}, {"x/lib/old", false},
		     {"lib/older", false}};
	CLEANUP(strv_release) struct strv patterns = STRV_INIT;
	CLEANUP(strv_release) struct strv specs = STRV_INIT;
	CLEANUP(strv_release) struct strv inner = STRV_INIT;
	CLEANUP(strv_release) struct strv none = STRV_INIT;
	CLEANUP(free_ptr) char *all = NULL;

	(void)state;
	strv_add(&patterns, "docs");
	strv_add(&patterns, "*.md");
	strv_add(&patterns, "lib/old");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (git_is_excluded(&patterns, cases[i].path) != cases[i].excluded)
			fail_msg("%s", cases[i].path);
	git_patterns_below(&patterns, "lib", &inner);
	all = strv_join(&inner, " ");
	assert_string_equal(all, "docs *.md old");
	git_pathspecs("", &none, &specs);
	assert_int_equal(specs.count, 0);
	git_pathspecs("a*b", &inner, &specs);
	assert_string_equal(specs.items[0], ":(top,literal)a*b");
	assert_string_equal(specs.items[1], ":(top,exclude,glob)a\\*b/**/docs");
	assert_string_equal(specs.items[6], ":(top,exclude,glob)a\\*b/**/old/**");
}

/* --- surroundings ------------------------------------------------------------------------------
 */

static void test_environment(void **state)
{
	static const char *const given[] = {"HOME=/h",
					    "GIT_DIR=/x",
					    "GIT_SSH_COMMAND=s",
					    "GIT_ASKPASS=a",
					    "LC_ALL=de",
					    "SSH_AUTH_SOCK=/s",
					    "GIT_INDEX_FILE=i",
					    "GIT_WORK_TREE=w",
					    "GIT_CONFIG_COUNT=1",
					    "GIT_CONFIG_KEY_0=k",
					    "GIT_ALLOW_PROTOCOL=ext",
					    "GIT_EXTERNAL_DIFF=x",
					    "GIT_CONFIG_PARAMETERS='x'",
					    NULL};
	CLEANUP(strv_release) struct strv made = STRV_INIT;

	(void)state;
	git_remote_environment(given, 0, &made);
	assert_string_equal(strv_getenv(&made, "HOME"), "/h");
	assert_string_equal(strv_getenv(&made, "GIT_SSH_COMMAND"), "s");
	assert_string_equal(strv_getenv(&made, "GIT_ASKPASS"), "a");
	assert_string_equal(strv_getenv(&made, "SSH_AUTH_SOCK"), "/s");
	assert_string_equal(strv_getenv(&made, "GIT_CONFIG_KEY_0"), "k");
	assert_string_equal(strv_getenv(&made, "LC_ALL"), "C");
	assert_string_equal(strv_getenv(&made, "GIT_TERMINAL_PROMPT"), "0");
	assert_string_equal(strv_getenv(&made, "GIT_ALLOW_PROTOCOL"), "https:http:ssh:git:file");
	assert_null(strv_getenv(&made, "GIT_DIR"));
	assert_null(strv_getenv(&made, "GIT_INDEX_FILE"));
	assert_null(strv_getenv(&made, "GIT_WORK_TREE"));
	assert_null(strv_getenv(&made, "GIT_EXTERNAL_DIFF"));
	assert_null(strv_getenv(&made, "GIT_CONFIG_PARAMETERS"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_listings_that_are_none),
		cmocka_unit_test(test_names_of_objects),
		cmocka_unit_test(test_commits),
		cmocka_unit_test(test_grammar_of_urls),
		cmocka_unit_test(test_submodule_urls),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
