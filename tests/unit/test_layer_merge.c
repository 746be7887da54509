/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/owner_links.h"
#include "layer/layer_stack.h"
#include "overlay_fixture.h"

/* What merges must show as the kernel does, attributes of repaired parents included. */
static const struct {
	const char *name;
	struct tree_item items[TREES][8];
	const char *implied[TREES][4];
} stacks[] = {
	{"nothing", {{{0}}}, {{0}}},
	{"the topmost wins",
	 {{{'f', "a", "1", .mtime = 1}, {'f', "b", "1", .uid = 5, .mode = 04755}},
	  {{'f', "a", "2", .mtime = 2}, {'l', "l", "a", .gid = 7, .mtime = 3}},
	  {{'f', "c", "3"}, {'p', "p", .mode = 0600, .uid = 9}}},
	 {{0}}},
	{"directories merge",
	 {{{'d', "d", .mtime = 1, .mode = 0700}, {'f', "d/a", "1"}, {'d', "d/e"}, {'f', "d/e/x"}},
	  {{'d', "d", .mtime = 2}, {'f', "d/b", "2"}, {'d', "d/e", .mode = 01777, .mtime = 8}},
	  {{'d', "d", .mtime = 3, .gid = 4}, {'f', "d/a", "3"}}},
	 {{0}}},
	{"whiteouts",
	 {{{'f', "a"}, {'d', "d"}, {'f', "d/f"}, {'f', "d/g"}, {'d', "e"}, {'f', "e/f"}},
	  {{'w', "a"}, {'d', "d"}, {'w', "d/f"}, {'w', "e"}},
	  {{'d', "e", .mtime = 6}, {'f', "e/new"}, {'w', "nothing"}}},
	 {{0}}},
	{"opaque",
	 {{{'d', "d", .mode = 0700}, {'f', "d/a"}, {'d', "d/e"}, {'f', "d/e/f"}},
	  {{'d', "d", .xattr = "user.overlay.opaque", .value = "y"}, {'f', "d/b"}},
	  {{'d', "d", .mtime = 5}, {'f', "d/c"}, {'d', "d/e", .mode = 0750}}},
	 {{0}}},
	{"something else between",
	 {{{'d', "d"}, {'f', "d/a"}, {'f', "f"}, {'d', "g"}, {'f', "g/x"}},
	  {{'f', "d", "file"}, {'d', "f"}, {'f', "f/in"}, {'l', "g", "f"}},
	  {{'d', "d"}, {'f', "d/b"}, {'d', "g"}, {'f', "g/y"}}},
	 {{0}}},
	{"attributes of implied directories",
	 {{{'d', "d", .mode = 01777, .uid = 3, .mtime = 9}, {'d', "d/e", .mode = 0711, .mtime = 4}},
	  {{'d', "d"}, {'d', "d/e"}, {'f', "d/e/f"}},
	  {{'d', "d", .mtime = 2}, {'f', "d/g"}}},
	 {{0}, {"d", "d/e"}, {"d"}}},
	{"opaque hides content, not attributes",
	 {{{'d', "d", .mode = 0700, .mtime = 3}, {'f', "d/a"}},
	  {{'d', "d", .xattr = "user.overlay.opaque", .value = "y"}, {'f', "d/b"}}},
	 {{0}, {"d"}}},
	{"implied everywhere",
	 {{{'d', "d", .mtime = 1}}, {{'d', "d", .mtime = 7}}, {{'d', "d", .mtime = 8}}},
	 {{"d"}, {"d"}, {"d"}}},
	{"names in every order",
	 {{{'f', "a.b"}, {'d', "a"}, {'f', "a/z"}, {'f', "a-"}, {'f', " "}},
	  {{'f', "\xff"}, {'f', "-"}, {'d', "a"}, {'w', "a/z"}},
	  {{'f', "#"}, {'w', "a.b"}}},
	 {{0}}},
};

static void as_the_kernel_shows_it(void **state)
{
	const struct scratch *s = *state;

	need_root();
	overlay_begin();
	for (size_t i = 0; i < ARRAY_SIZE(stacks); i++) {
		CLEANUP(stack_release) struct stack stack;
		CLEANUP(fd_close) int copy = tree_new(s, "copy"), links = tree_new(s, "links");
		CLEANUP(fd_close) int view = -1;
		CLEANUP(buf_release) struct buf expected = BUF_INIT;
		CLEANUP(buf_release) struct buf copied = BUF_INIT, linked = BUF_INIT;
		struct varve_error err = {0};

		stack_make(s, &stack, stacks[i].items, stacks[i].implied);
		if (layer_merge(stack.trees, TREES, &owners_root, LAYER_MERGE_COPY, copy, &err) <
			    0 ||
		    layer_merge(stack.trees, TREES, &owners_root, LAYER_MERGE_LINKS, links, &err) <
			    0)
			fail_msg("%s: %s", stacks[i].name, err.text);
		view = overlay_mount(s, &stack, "view", -1, -1);
		expected = tree_dump(view);
		copied = tree_dump(copy);
		linked = tree_dump(links);
		fd_close(&view);
		overlay_unmount(s, "view");
		if (strcmp(buf_text(&copied), buf_text(&expected)) != 0)
			fail_msg("%s, copied:\n%s\nand not\n%s", stacks[i].name, buf_text(&copied),
				 buf_text(&expected));
		if (strcmp(buf_text(&linked), buf_text(&expected)) != 0)
			fail_msg("%s, linked:\n%s\nand not\n%s", stacks[i].name, buf_text(&linked),
				 buf_text(&expected));
	}
}

static struct stat stat_in(int dirfd, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static void inodes(void **state)
{
	static const struct tree_item items[TREES][8] = {
		{{'f', "a", "x"}, {'h', "b", "a"}, {'l', "l", "a"}, {'p', "p"}}};
	CLEANUP(stack_release) struct stack stack;
	CLEANUP(fd_close) int copy = tree_new(*state, "copy"), links = tree_new(*state, "links");

	need_root();
	stack_make(*state, &stack, items, NULL);
	assert_int_equal(
		layer_merge(stack.trees, TREES, &owners_root, LAYER_MERGE_LINKS, links, NULL), 0);
	assert_true(stat_in(links, "a").st_ino == stat_in(stack.fds[0], "a").st_ino);
	assert_true(stat_in(links, "b").st_ino == stat_in(stack.fds[0], "a").st_ino);
	assert_true(stat_in(links, "l").st_ino == stat_in(stack.fds[0], "l").st_ino);
	assert_true(stat_in(links, "p").st_ino == stat_in(stack.fds[0], "p").st_ino);
	assert_int_equal(
		layer_merge(stack.trees, TREES, &owners_root, LAYER_MERGE_COPY, copy, NULL), 0);
	assert_int_equal(stat_in(copy, "a").st_nlink, 1);
	assert_int_equal(stat_in(copy, "b").st_nlink, 1);
}

static ssize_t xattr_size(int dirfd, const char *file, const char *name)
{
	CLEANUP(fd_close) int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC);

	return fgetxattr(fd, name, NULL, 0);
}

/* An image's own user.overlay.x is escaped in trees; a program sees it plain. */
static void xattrs(void **state)
{
	static const struct tree_item items[TREES][8] = {
		{{'f', "f", .xattr = "user.overlay.overlay.x", .value = "1"},
		 {'d', "d", .xattr = "user.k", .value = "22"},
		 {'d', "o", .xattr = "user.overlay.opaque", .value = "y"}}};
	CLEANUP(stack_release) struct stack stack;
	CLEANUP(fd_close) int copy = tree_new(*state, "copy"), links = tree_new(*state, "links");

	need_root();
	stack_make(*state, &stack, items, NULL);
	assert_int_equal(
		layer_merge(stack.trees, TREES, &owners_root, LAYER_MERGE_COPY, copy, NULL), 0);
	assert_int_equal(
		layer_merge(stack.trees, TREES, &owners_root, LAYER_MERGE_LINKS, links, NULL), 0);
	assert_int_equal(xattr_size(copy, "f", "user.overlay.x"), 1);
	assert_int_equal(xattr_size(copy, "f", "user.overlay.overlay.x"), -1);
	assert_int_equal(xattr_size(links, "f", "user.overlay.overlay.x"), 1);
	assert_int_equal(xattr_size(copy, "d", "user.k"), 2);
	assert_int_equal(xattr_size(links, "d", "user.k"), 2);
	assert_int_equal(xattr_size(copy, "o", "user.overlay.opaque"), -1);
	assert_int_equal(xattr_size(links, "o", "user.overlay.opaque"), -1);
}

static void on_top_stays(void **state)
{
	static const struct tree_item items[TREES][8] = {{{'f', "a", "below"},
							  {'d', "d", .mode = 0700},
							  {'f', "d/x", "below"},
							  {'d', "e"},
							  {'f', "e/y"},
							  {'f', "g", "below"}}};
	static const struct tree_item own[] = {{'f', "a", "own", .mtime = 4},
					       {'d', "d", .mode = 0711, .mtime = 5},
					       {'f', "d/z", "own"},
					       {'l', "e", "own"},
					       {0}};
	CLEANUP(stack_release) struct stack stack;
	CLEANUP(fd_close) int target = tree_new(*state, "target");
	CLEANUP(buf_release) struct buf is = BUF_INIT;

	need_root();
	stack_make(*state, &stack, items, NULL);
	tree_make(target, own);
	assert_int_equal(
		layer_merge(stack.trees, TREES, &owners_root, LAYER_MERGE_COPY, target, NULL), 0);
	assert_int_equal(utimensat(target, "d", (const struct timespec[2]){{0}, {5, 0}}, 0), 0);
	is = tree_dump(target);
	assert_string_equal(
		buf_text(&is),
		"f 0644 0:0 4 a = own\nd 0711 0:0 5 d\nf 0644 0:0 0 d/x = below\n"
		"f 0644 0:0 0 d/z = own\nl 0777 0:0 0 e -> own\nf 0644 0:0 0 g = below\n");
}

/* Whiteouts that are files with a record, on any file system; devices that are records. */
static void file_whiteouts(void **state)
{
	static const struct owners owners = {.mode = OWNER_ROOT, .file_whiteouts = true};
	static const struct tree_item items[TREES][8] = {
		{{'f', "a"}, {'f', "c", ""}, {'d', "d"}, {'f', "d/x"}}, {{'f', "b"}}};
	CLEANUP(stack_release) struct stack stack;
	CLEANUP(fd_close) int copy = tree_new(*state, "copy");
	CLEANUP(buf_release) struct buf is = BUF_INIT;
	struct stack_found found;

	need_root();
	stack_make(*state, &stack, items, NULL);
	assert_int_equal(layer_make_whiteout(&owners, stack.fds[2], "a"), 0);
	assert_int_equal(layer_make_whiteout(&owners, stack.fds[2], "d"), 0);
	assert_true(S_ISREG(stat_in(stack.fds[2], "a").st_mode));
	assert_int_equal(owner_make_device(stack.fds[1], "null", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(
		utimensat(stack.fds[1], "null", (const struct timespec[2]){{0}, {7, 0}}, 0), 0);
	stack.trees[2].owners = &owners;
	assert_int_equal(layer_merge(stack.trees, TREES, &owners, LAYER_MERGE_COPY, copy, NULL), 0);
	is = tree_dump(copy);
	assert_string_equal(buf_text(&is), "f 0644 0:0 0 b\nf 0644 0:0 0 c\n? 0666 0:0 7 null\n");
	assert_int_equal(layer_stack_find(stack.trees, TREES, 0, "d", &found), 0);
	assert_int_equal(layer_stack_find(stack.trees, TREES, 0, "c", &found), 1);
}

/* With one id owners are records, and those of links lie in the table. */
static void records(void **state)
{
	static const struct tree_item items[TREES][8] = {
		{{'f', "f", "x", .mode = 0400}, {'l', "l", "f"}, {'d', "d", .mode = 0500}}};
	CLEANUP(stack_release) struct stack stack;
	CLEANUP(fd_close) int copy = tree_new(*state, "copy"), links = tree_new(*state, "links");
	struct owners owners = {.mode = OWNER_ONE, .links = owner_links_new()};
	static const char *const names[] = {"f", "l", "d"};

	stack_make(*state, &stack, items, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(owner_write(&owners, stack.fds[0], names[i], 5 + (uid_t)i, 8), 0);
	assert_int_equal(layer_merge(stack.trees, TREES, &owners, LAYER_MERGE_COPY, copy, NULL), 0);
	assert_int_equal(layer_merge(stack.trees, TREES, &owners, LAYER_MERGE_LINKS, links, NULL),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct stat st = stat_in(copy, names[i]), other = stat_in(links, names[i]);

		assert_int_equal(owner_read(&owners, copy, names[i], &st), 0);
		assert_int_equal(owner_read(&owners, links, names[i], &other), 0);
		assert_int_equal(st.st_uid, 5 + i);
		assert_int_equal(other.st_uid, 5 + i);
		assert_int_equal(st.st_gid, 8);
	}
	owner_links_free(owners.links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(as_the_kernel_shows_it),
		SCRATCH_TEST(inodes),
		SCRATCH_TEST(xattrs),
		SCRATCH_TEST(on_top_stays),
		SCRATCH_TEST(file_whiteouts),
		SCRATCH_TEST(records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
