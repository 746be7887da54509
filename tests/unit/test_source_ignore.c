/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include "base/path.h"
#include "base/process.h"
#include "scratch.h"
#include "source/source_ignore.h"

/* A path that ends in "/" is a directory. */
static const struct {
	const char *rules, *path;
	bool left_out;
} rows[] = {
	/* names at any depth */
	{"", "a", false},
	{"a", "a", true},
	{"a", "b/a", true},
	{"a", "ab", false},
	{"a", "a/", true},
	{"a", "b/a/c", true},
	{"A", "a", false},
	{"*.o", "x.o", true},
	{"*.o", "d/x.o", true},
	{"*.o", "x.oo", false},
	{"*.o", ".o", true},
	{"*", "d/.hidden", true},
	{"**", "d/x", true},
	{"a*b*c", "axxbxxbc", true},
	{"a*b*c", "axxbxxbd", false},
	{"?", "x", true},
	{"?", "xy", false},
	{"a?c", "abc", true},
	/* comments, blank lines, line ends, spaces */
	{"#a", "#a", false},
	{"\\#a", "#a", true},
	{"\n\na\n\n", "a", true},
	{"   ", "   ", false},
	{"a   ", "a", true},
	{"a\\ ", "a ", true},
	{"a\\ ", "a", false},
	{"a\\  ", "a ", true},
	{" a", "a", false},
	{" a", " a", true},
	{"a\t", "a", false},
	{"a\r\nb\r\n", "a", true},
	{"a\r\nb\r\n", "b", true},
	{"\xef\xbb\xbf"
	 "a",
	 "a", true},
	{"b\na", "a", true},
	/* negation: the last rule decides, and nothing comes back from a directory that is out */
	{"*.o\n!x.o", "x.o", false},
	{"*.o\n!x.o", "y.o", true},
	{"!x.o\n*.o", "x.o", true},
	{"d\n!d/x", "d/x", true},
	{"d/*\n!d/x", "d/x", false},
	{"d/*\n!d/x", "d/y", true},
	{"/*\n!/d\n/d/*\n!/d/x", "d/x", false},
	{"/*\n!/d\n/d/*\n!/d/x", "d/y", true},
	{"!", "a", false},
	{"\\!a", "!a", true},
	{"!!a", "!a", false},
	/* directories only */
	{"d/", "d/", true},
	{"d/", "d", false},
	{"d/", "e/d/x", true},
	{"d/", "d/x", true},
	{"d/e/", "d/e/", true},
	{"d/e/", "x/d/e/", false},
	{"*/", "d/x", true},
	{"*/", "x", false},
	{"d//", "d/", false},
	{"/", "d/", false},
	/* anchors */
	{"/a", "a", true},
	{"/a", "d/a", false},
	{"d/a", "d/a", true},
	{"d/a", "e/d/a", false},
	{"/d/a", "d/a", true},
	{"//a", "a", false},
	{"d//a", "d/a", false},
	{"d/*", "d/e/x", true},
	{"d/*.o", "d/e/x.o", false},
	{"d/?/x", "d/e/x", true},
	{"d?x", "d/x", false},
	{"*/x", "d/x", true},
	{"*/x", "d/e/x", false},
	/* any number of directories */
	{"**/x", "x", true},
	{"**/x", "d/e/x", true},
	{"**/d/x", "c/d/x", true},
	{"**/d/x", "c/d/e/x", false},
	{"d/**", "d/e/x", true},
	{"d/**", "d/", false},
	{"d/**/", "d/e/", true},
	{"d/**/", "d/x", false},
	{"a/**/b", "a/b", true},
	{"a/**/b", "a/x/y/b", true},
	{"a/**/b", "a/x/y/c", false},
	{"a/**/b/**/c", "a/b/x/b/c", true},
	{"a/**/b/c", "a/b/b/c", true},
	{"a/**/**/b", "a/b", true},
	{"/**", "x", true},
	{"/**/x", "d/x", true},
	{"a**b/x", "acb/x", true},
	{"a**b/x", "a/b/x", false},
	{"**/*.o", "d/x.o", true},
	/* sets */
	{"[abc]", "b", true},
	{"[abc]", "d", false},
	{"[a-c]x", "bx", true},
	{"[!a-c]", "b", false},
	{"[!a-c]", "d", true},
	{"[^a-c]", "d", true},
	{"[]a]", "]", true},
	{"[]-a]", "^", true},
	{"[a-]", "-", true},
	{"[\\]]", "]", true},
	{"[\\\\]", "\\", true},
	{"[a-c-e]", "d", false},
	{"[[:digit:]]*", "1x", true},
	{"[[:digit:]]*", "x1", false},
	{"[![:upper:]]", "A", false},
	{"[[:alpha:]-z]", "-", true},
	{"[[:]", "[", true},
	{"[[:bogus:]]", "b", false},
	{"[[:alpha:]]", "\xc3\xa4", false},
	{"d[/]x", "d/x", false},
	{"d[/e]x", "dex", true},
	{"d[!e]x", "d/x", false},
	/* escapes, and what is no pattern */
	{"\\*", "*", true},
	{"\\*", "a", false},
	{"\\a", "a", true},
	{"a\\", "a", false},
	{"a\\", "a\\", false},
	{"a\\\\", "a\\", true},
	{"[a", "[a", false},
	{"[a", "a", false},
	{"a\\/b", "a/b", true},
};

/* As a walk would: what lies in a directory that is left out is not seen. */
static bool is_left_out(const struct source_ignore *ignore, const char *path)
{
	CLEANUP(free_ptr) char *copy = xstrdup(path);

	for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (source_ignore_matches(ignore, copy, true))
			return true;
		*slash = '/';
	}
	return !str_ends(path, "/") && source_ignore_matches(ignore, copy, false);
}

static void rules_leave_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(source_ignore_freep)
		struct source_ignore *ignore =
			source_ignore_parse(rows[i].rules, strlen(rows[i].rules));

		if (is_left_out(ignore, rows[i].path) != rows[i].left_out)
			fail_msg("row %zu: \"%s\" on %s", i, rows[i].rules, rows[i].path);
	}
	assert_false(source_ignore_matches(NULL, "a", false));
}

/* Stars that follow each other must not take exponential time. */
static void many_stars_end_soon(void **state)
{
	CLEANUP(buf_release) struct buf rules = BUF_INIT, path = BUF_INIT;
	struct source_ignore *ignore;

	(void)state;
	for (int i = 0; i < 200; i++) {
		buf_addstr(&rules, "**/*a*a*a/");
		buf_addstr(&path, "aaaaaaaaaaaaaaaa/");
	}
	buf_addstr(&rules, "b");
	buf_addstr(&path, "c");
	ignore = source_ignore_parse(rules.data, rules.len);
	assert_false(source_ignore_matches(ignore, path.data, false));
	source_ignore_free(ignore);
}

static int run_git(const struct scratch *s, const char *const *tail, struct varve_error *err)
{
	const char *argv[12] = {"env", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
				"git", "-C"};
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	size_t count = 5;

	argv[count++] = s->path;
	while (*tail && count + 1 < ARRAY_SIZE(argv))
		argv[count++] = *tail++;
	return process_capture(argv, 1 << 16, &out, err);
}

static void git_says_the_same(void **state)
{
	static const char *const init[] = {"init", "-q", NULL};
	const struct scratch *s = *state;
	CLEANUP(free_ptr) char *git = process_find("git");
	struct varve_error err = {0};

	if (!git)
		skip();
	if (run_git(s, init, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *path = rows[i].path;
		/* git takes a "/" at the end for a part of the name. */
		CLEANUP(free_ptr)
		char *asked = xstrndup(path, strlen(path) - (str_ends(path, "/") ? 1 : 0));
		const char *const check[] = {"check-ignore", "-q", "--no-index", "--", asked, NULL};
		CLEANUP(free_ptr) char *top = xstrndup(path, strcspn(path, "/"));
		CLEANUP(free_ptr) char *parent = xstrndup(path, path_dir_len(path));

		if (*parent)
			assert_int_equal(fd_mkdir_p(s->fd, parent, 0755), 0);
		if (!str_ends(path, "/"))
			scratch_write(s, path, "");
		scratch_write(s, ".gitignore", rows[i].rules);
		if ((run_git(s, check, NULL) == 0) != rows[i].left_out)
			fail_msg("row %zu: \"%s\" on %s", i, rows[i].rules, path);
		assert_int_equal(fd_remove_tree(s->fd, top), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_leave_out),
		cmocka_unit_test(many_stars_end_soon),
		SCRATCH_TEST(git_says_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
