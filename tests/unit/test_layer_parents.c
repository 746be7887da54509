/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "layer/layer_memo.h"
#include "overlay_fixture.h"

static const struct {
	const char *name;
	struct tree_item items[TREES][8];
	const char *implied[TREES][4];
	const char *expected; /* the fixup */
} parents[] = {
	{"nothing implied", {{{'d', "d", .mode = 0700}}, {{'d', "d", .mode = 0711}}}, {{0}}, ""},
	{"attributes from below",
	 {{{'d', "d", .mode = 01777, .uid = 3, .mtime = 9}}, {{'d', "d"}, {'f', "d/f"}}},
	 {{0}, {"d"}},
	 "d 1777 3:0 9 d\n"},
	{"already right",
	 {{{'d', "d", .mode = 0700}}, {{'d', "d", .mode = 0700}}},
	 {{0}, {"d"}},
	 ""},
	{"implied everywhere", {{{'d', "d"}}, {{'d', "d", .mtime = 7}}}, {{"d"}, {"d"}}, ""},
	{"only the time differs",
	 {{{'d', "d", .mtime = 7}}, {{'d', "d"}}},
	 {{0}, {"d"}},
	 "d 0755 0:0 7 d\n"},
	{"past an implied one",
	 {{{'d', "d", .mode = 0700}}, {{'d', "d"}}, {{'d', "d"}}},
	 {{0}, {"d"}, {"d"}},
	 "d 0700 0:0 0 d\n"},
	{"not the lowest but the next",
	 {{{'d', "d", .mode = 0700}}, {{'d', "d", .mode = 0711}}, {{'d', "d"}}},
	 {{0}, {0}, {"d"}},
	 "d 0711 0:0 0 d\n"},
	{"a whiteout between",
	 {{{'d', "d", .mode = 0700}}, {{'w', "d"}}, {{'d', "d"}}},
	 {{0}, {0}, {"d"}},
	 ""},
	{"a file between",
	 {{{'d', "d", .mode = 0700}}, {{'f', "d"}}, {{'d', "d"}}},
	 {{0}, {0}, {"d"}},
	 ""},
	{"an opaque parent between",
	 {{{'d', "a"}, {'d', "a/d", .mode = 0700}},
	  {{'d', "a", .xattr = "user.overlay.opaque", .value = "y"}},
	  {{'d', "a"}, {'d', "a/d"}}},
	 {{0}, {0}, {"a", "a/d"}},
	 ""},
	{"an opaque directory hides content, not attributes",
	 {{{'d', "d", .mode = 0700}}, {{'d', "d", .xattr = "user.overlay.opaque", .value = "y"}}},
	 {{0}, {"d"}},
	 "d 0700 0:0 0 d\n"},
	{"parents of a repaired directory are right too",
	 {{{'d', "a", .mode = 0711, .mtime = 4}, {'d', "a/b", .mode = 0700, .mtime = 5}},
	  {{'d', "a", .mode = 0711, .mtime = 4}, {'d', "a/b"}}},
	 {{0}, {"a", "a/b"}},
	 "d 0711 0:0 4 a\nd 0700 0:0 5 a/b\n"},
	{"hidden above",
	 {{{'d', "d", .mode = 0700}}, {{'d', "d"}}, {{'w', "d"}}},
	 {{0}, {"d"}, {0}},
	 ""},
};

static void fixups(void **state)
{
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(parents); i++) {
		CLEANUP(stack_release) struct stack stack;
		CLEANUP(fd_close) int fixup = tree_new(*state, "fixup");
		CLEANUP(buf_release) struct buf is = BUF_INIT;
		struct varve_error err = {.code = 0};
		size_t lines = 0;
		int r;

		stack_make(*state, &stack, parents[i].items, parents[i].implied);
		r = layer_parents(stack.trees, TREES, &owners_root, fixup, &err);
		if (r < 0)
			fail_msg("%s: %s", parents[i].name, err.text);
		is = tree_dump(fixup);
		if (strcmp(buf_text(&is), parents[i].expected) != 0)
			fail_msg("%s:\n%s\nand not\n%s", parents[i].name, buf_text(&is),
				 parents[i].expected);
		for (const char *p = parents[i].expected; *p; p++)
			lines += *p == '\n';
		assert_int_equal(r, lines);
	}
}

static void xattrs_of_parents(void **state)
{
	static const struct tree_item items[TREES][8] = {
		{{'d', "d", .xattr = "user.k", .value = "v"}}, {{'d', "d"}}};
	static const char *const implied[TREES][4] = {{0}, {"d"}};
	CLEANUP(stack_release) struct stack stack;
	CLEANUP(fd_close) int fixup = tree_new(*state, "fixup"), fd = -1;

	need_root();
	stack_make(*state, &stack, items, implied);
	assert_int_equal(layer_parents(stack.trees, TREES, &owners_root, fixup, NULL), 1);
	fd = openat(fixup, "d", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(fd, "user.k", NULL, 0), 1);
}

static const struct tree_item merged[TREES][8] = {
	{{'d', "usr"},
	 {'d', "usr/lib"},
	 {'l', "lib", "usr/lib"},
	 {'d', "a"},
	 {'d', "a/b"},
	 {'l', "a/b/up", "../../lib/x"},
	 {'l', "loop", "loop"}},
	{{'l', "abs", "/a/b"},
	 {'d', "usr"},
	 {'w', "usr/lib"},
	 {'f', "file"},
	 {'l', "out", "../../../usr"}},
	{{'d', "usr"}, {'d', "usr/lib"}, {'l', "usr/lib/x", "/file"}, {'w', "a"}},
};

static const struct {
	size_t count; /* trees */
	const char *path;
	const char *expected;
	int result;
	bool is_directory;
} resolutions[] = {
	{1, "lib/f", "usr/lib/f", 0, false},
	{1, "lib", "usr/lib", 0, true},
	{1, "/lib//./f/", "usr/lib/f", 0, false},
	{1, "a/b/up", "usr/lib/x", 0, false},
	{1, "a/b/up/f", "usr/lib/x/f", 0, false},
	{2, "abs/f", "a/b/f", 0, false},
	{2, "lib/f", "usr/lib/f", 0, false},
	{2, "out/f", "usr/f", 0, false},
	{3, "lib/x", "file", 0, false},
	{3, "abs/up/f", "a/b/up/f", 0, false},
	{1, "no/such/../path", "no/path", 0, false},
	{1, "", "", 0, true},
	{1, "/", "", 0, true},
	{1, "loop/f", NULL, -ELOOP, false},
	{1, "loop", NULL, -ELOOP, false},
	{2, "file/f", "file/f", 0, false},
	{1, "../../lib/f", "usr/lib/f", 0, false},
};

static void resolve(void **state)
{
	CLEANUP(stack_release) struct stack stack;

	need_root();
	stack_make(*state, &stack, merged, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(resolutions); i++) {
		struct layer_resolved is = {.path = NULL};
		int r = layer_resolve(stack.trees, resolutions[i].count, resolutions[i].path, NULL,
				      &is, NULL);

		assert_int_equal(r, resolutions[i].result);
		if (r == 0 && strcmp(is.path, resolutions[i].expected) != 0)
			fail_msg("case %zu, %s: %s", i, resolutions[i].path, is.path);
		assert_int_equal(is.is_directory, resolutions[i].is_directory);
		free(is.path);
	}
}

/* p/q is opaque in the second tree, p/r comes and goes, s leads into what changes. */
static const struct tree_item changing[TREES][8] = {
	{{'d', "p"},
	 {'d', "p/q"},
	 {'d', "p/q/old"},
	 {'l', "p/q/up", "../r"},
	 {'d', "p/r"},
	 {'l', "s", "p/q"}},
	{{'d', "p"},
	 {'d', "p/q", .xattr = "user.overlay.opaque", .value = "y"},
	 {'d', "p/q/new"},
	 {'w', "p/r"}},
	{{'d', "p"}, {'d', "p/r"}, {'d', "p/r/top"}, {'d', "p/q"}, {'f', "p/q/old"}},
};

static void compare(const struct stack *stack, size_t count, const char *path,
		    struct layer_memo *memo)
{
	struct layer_resolved with = {.path = NULL}, without = {.path = NULL};

	assert_int_equal(layer_resolve(stack->trees, count, path, memo, &with, NULL), 0);
	assert_int_equal(layer_resolve(stack->trees, count, path, NULL, &without, NULL), 0);
	if (strcmp(with.path, without.path) != 0 || with.is_directory != without.is_directory)
		fail_msg("%zu trees, %s: %s%s and not %s%s", count, path, with.path,
			 with.is_directory ? "/" : "", without.path,
			 without.is_directory ? "/" : "");
	free(with.path);
	free(without.path);
}

enum { MANY = 2 * LAYER_MEMO + 1, NAME = 16 };

static const char *number(size_t i, char name[NAME])
{
	(void)snprintf(name, NAME, "m%zu", i);
	return name;
}

/* A stack that grows and is cut: what was seen of it before never alters an answer. */
static void resolve_again(void **state)
{
	static const char *const paths[] = {"p",       "p/q",     "p/q/old", "p/q/up/x", "p/r",
					    "p/r/top", "s/new/x", "s/up",    "p/none"};
	static const size_t counts[] = {1, 2, 3, 3, 1, 3, 2, 3, 1, 2};
	struct layer_memo memo = {0};
	char name[NAME];
	CLEANUP(stack_release) struct stack stack;

	need_root();
	stack_make(*state, &stack, changing, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		layer_memo_cut(&memo, counts[i]);
		for (size_t k = 0; k < ARRAY_SIZE(paths); k++)
			compare(&stack, counts[i], paths[k], &memo);
	}
	assert_true(memo.count > 3);
	layer_memo_release(&memo);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(mkdirat(stack.trees[i % TREES].tree, number(i, name), 0755), 0);
	for (size_t i = 0; i < 2 * MANY; i++) /* more than it remembers, some twice */
		compare(&stack, TREES, number(i * 5 % MANY, name), &memo);
	assert_true(memo.count > 3 && memo.count <= LAYER_MEMO);
	layer_memo_release(&memo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fixups, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(xattrs_of_parents, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(resolve, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(resolve_again, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
