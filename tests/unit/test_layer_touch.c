/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/process.h"
#include "base/sink.h"
#include "layer/layer_touch.h"
#include "overlay_fixture.h"

enum { EPOCH = 1000 };

static const struct tree_item below[TREES][8] = {
	{{'d', "d", .mode = 0711, .mtime = 5},
	 {'f', "d/a", "a", .mtime = 6, .uid = 3},
	 {'d', "d/sub", .mtime = 7, .gid = 2},
	 {'f', "d/sub/deep", "deep"},
	 {'l', "d/link", "a", .uid = 4},
	 {'d', "empty", .mtime = 3}},
	{{'f', "one", "linked"},
	 {'h', "two", "one"},
	 {'h', "three", "one"},
	 {'p', "fifo", .mode = 0640},
	 {'f', "x", "x", .xattr = "user.overlay.overlay.own", .value = "v"},
	 {'f', "gone", "g"}},
	{{'d', "d", .mtime = 8}, {'w', "gone"}, {'f', "d/top", "top"}, {'f', "empty2"}},
};
static const char *const implied[TREES][4] = {{0}, {0}, {"d"}};

/* A command, and the entries of the layer that it makes ("!": implied); the kernel's overlay has to
 * agree in all its bytes. */
static const struct {
	const char *command, *expected;
} cases[] = {
	{"true", ""},
	{"touch d/a d/sub one; chmod 711 d; chown 3 d/a", ""},
	{"echo new >d/new", "d! d/new"},
	{"echo a >d/a", "d! d/a"},
	{"printf b >d/a", "d! d/a"},
	{"rm d/a", "d! -d/a"},
	{"rm -r d", "-d"},
	{"rm d/a; chmod 700 d; touch -d @50 d", "d -d/a"},
	{"rm -r d; mkdir d", "d -d/a -d/link -d/sub -d/top"},
	{"rm -r d; mkdir -m 711 d", "d! -d/a -d/link -d/sub -d/top"},
	{"rm -r d; mkdir -p d/sub; printf deep >d/sub/deep", "d -d/a -d/link -d/top d/sub"},
	{"rm -r d; echo file >d", "d"},
	{"rm -r d; ln -s empty d", "d"},
	{"rm x; mkdir x; touch x/y", "x x/y"},
	{"mkdir n n/m; touch n/m/f; rm -r n", ""},
	{"rmdir empty; mkdir empty", ""},
	{"rm empty2; touch empty2", ""},
	{"touch gone", "gone"},
	{"printf g >gone; rm gone", ""},
	{"chmod 600 fifo; chown 9:9 d/sub; chown -h 1 d/link", "d! d/link d/sub fifo"},
	{"chmod 4755 one; chown 5 two", "one two"},
	{"echo more >>two", "two"},
	{"rm two", "-two"},
	{"ln one four", "four one"},
	{"ln -f one two", ""},
	{"setx user.k 1 d/a", "d! d/a"},
	{"setx user.overlay.own w x", "x"},
	{"setx user.overlay.own v x; touch x", ""},
	{"unsetx user.overlay.own x", "x"},
	{"setx user.overlay.other 1 d; setx user.overlay.other 1 d/sub", "d d/sub"},
	{"mv d/a d/b; mv d/b d/a", ""},
	{"mv d/a b", "b d! -d/a"},
	{"cp -a d e; rm -r d; cp -a e d; rm -r e", ""},
	{"dd if=/dev/zero of=d/a bs=1 count=1 seek=1000000 2>/dev/null", "d! d/a"},
};

static const char functions[] =
	"python() { python3 -c \"import os, sys; n, v, f = sys.argv[1:]; $1\" \"$2\" \"$3\" \"$4\"; }\n"
	"setx() { python 'os.setxattr(f, n, v.encode())' \"$@\"; }\n"
	"unsetx() { python 'os.removexattr(f, n)' \"$1\" - \"$2\"; }\n";

static void run_in(const struct scratch *s, const char *directory, const char *command)
{
	CLEANUP(free_ptr)
	char *script = xasprintf("%s cd %s/%s && umask 022 && { %s; }", functions, s->path,
				 directory, command);
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl("/bin/sh", "sh", "-ec", script, (char *)NULL);
		_exit(127);
	}
	if (process_wait(pid) != 0)
		fail_msg("%s", command);
}

/* An upper as layer_normalise leaves it: its tar and, beside it, its names. */
struct result {
	struct buf tar, names;
};

static void result_release(struct result *r)
{
	buf_release(&r->tar);
	buf_release(&r->names);
}

static bool list_has(const struct strv *list, const char *path)
{
	for (size_t i = 0; i < list->count; i++)
		if (str_equal(list->items[i], path))
			return true;
	return false;
}

static void name_all(int tree, const struct owners *owners, const struct strv *implied_dirs,
		     struct buf *ret)
{
	CLEANUP(layer_walk_freep) struct layer_walk *walk = NULL;
	struct walk_entry e;

	assert_int_equal(layer_walk_new(tree, owners, &walk, NULL), 0);
	while (layer_walk_next(walk, &e, NULL) > 0)
		if (!e.leave)
			buf_addf(ret, "%s%s%s%s", ret->len ? " " : "", e.whiteout ? "-" : "",
				 e.path, list_has(implied_dirs, e.path) ? "!" : "");
}

static void finish(int upper, int lower, const struct owners *owners, struct result *ret)
{
	const struct layer_rules rules = {.owners = owners, .epoch = EPOCH};
	CLEANUP(strv_release) struct strv dirs = STRV_INIT;
	struct varve_error err = {0};
	struct sink_buf out;
	uint64_t entries;

	if (layer_normalise(upper, lower, &rules, NULL, &dirs, &err) < 0)
		fail_msg("%s", err.text);
	name_all(upper, owners, &dirs, &ret->names);
	sink_buf_init(&out, &ret->tar);
	assert_int_equal(layer_write(upper, &dirs, owners, &out.sink, &entries, NULL), 0);
}

static void by_kernel(const struct scratch *s, const struct stack *stack, const char *command,
		      struct result *ret)
{
	CLEANUP(fd_close) int upper = tree_new(s, "upper"), work = tree_new(s, "work");
	CLEANUP(fd_close) int view = overlay_mount(s, stack, "root", upper, work), lower = -1;

	fd_close(&view);
	run_in(s, "root", command);
	overlay_unmount(s, "root");
	lower = overlay_mount(s, stack, "lower", -1, -1);
	finish(upper, lower, &owners_root, ret);
	fd_close(&lower);
	overlay_unmount(s, "lower");
}

static void by_copy(const struct scratch *s, const struct stack *stack, const struct owners *owners,
		    const char *command, struct result *ret)
{
	CLEANUP(layer_touch_freep) struct layer_touch *touch = NULL;
	CLEANUP(fd_close) int upper = tree_new(s, "copy"), lower = tree_new(s, "links");
	struct varve_error err = {0};

	assert_int_equal(layer_touch_new(upper, owners, &touch, &err), 0);
	assert_int_equal(layer_merge(stack->trees, TREES, owners, LAYER_MERGE_COPY, upper, &err),
			 0);
	assert_int_equal(layer_touch_begin(touch, &err), 0);
	run_in(s, "copy", command);
	if (layer_touch_end(touch, &err) < 0)
		fail_msg("%s: %s", command, err.text);
	assert_int_equal(layer_merge_like(stack->trees, TREES, owners, upper, lower, &err), 0);
	finish(upper, lower, owners, ret);
}

static void check(const char *command, const char *how, const struct result *is,
		  const struct result *expected)
{
	if (strcmp(buf_text(&is->names), buf_text(&expected->names)) != 0)
		fail_msg("%s, %s:\n%s\nand not\n%s", command, how, buf_text(&is->names),
			 buf_text(&expected->names));
	if (is->tar.len != expected->tar.len ||
	    memcmp(is->tar.data, expected->tar.data, is->tar.len) != 0)
		fail_msg("%s, %s: another tar", command, how);
}

static void as_the_kernel_leaves_it(void **state)
{
	static const struct owners files = {.mode = OWNER_ROOT, .file_whiteouts = true};
	const struct scratch *s = *state;
	CLEANUP(stack_release) struct stack stack;

	need_root();
	overlay_begin();
	stack_make(s, &stack, below, implied);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(result_release) struct result kernel = {BUF_INIT, BUF_INIT};
		CLEANUP(result_release) struct result copy = {BUF_INIT, BUF_INIT};
		CLEANUP(result_release) struct result file = {BUF_INIT, BUF_INIT};

		by_kernel(s, &stack, cases[i].command, &kernel);
		if (strcmp(buf_text(&kernel.names), cases[i].expected) != 0)
			fail_msg("%s, by the kernel: %s", cases[i].command,
				 buf_text(&kernel.names));
		by_copy(s, &stack, &owners_root, cases[i].command, &copy);
		check(cases[i].command, "copied", &copy, &kernel);
		by_copy(s, &stack, &files, cases[i].command, &file);
		check(cases[i].command, "copied, whiteouts are files", &file, &kernel);
	}
}

/* The clock of many file systems moves in ticks, as that of ramfs: what is written at once must be
 * seen all the same, and the size says nothing. */
static void in_the_same_tick(void **state)
{
	static const struct tree_item items[TREES][8] = {{{'f', "f", "0"}}};
	const struct scratch *s = *state;
	struct scratch ticking = {.path = xasprintf("%s/ramfs", s->path)};
	CLEANUP(stack_release) struct stack stack;

	need_root();
	overlay_begin();
	assert_int_equal(mkdir(ticking.path, 0700), 0);
	assert_int_equal(mount("none", ticking.path, "ramfs", 0, NULL), 0);
	ticking.fd = open(ticking.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stack_make(&ticking, &stack, items, NULL);
	for (int i = 0; i < 50; i++) {
		CLEANUP(layer_touch_freep) struct layer_touch *touch = NULL;
		CLEANUP(fd_close) int upper = tree_new(&ticking, "copy"), fd = -1;

		assert_int_equal(layer_touch_new(upper, &owners_root, &touch, NULL), 0);
		assert_int_equal(layer_merge(stack.trees, TREES, &owners_root, LAYER_MERGE_COPY,
					     upper, NULL),
				 0);
		assert_int_equal(layer_touch_begin(touch, NULL), 0);
		fd = openat(upper, "f", O_WRONLY | O_CLOEXEC);
		assert_int_equal(write(fd, "1", 1), 1);
		assert_int_equal(layer_touch_end(touch, NULL), 0);
		assert_int_equal(faccessat(upper, "f", F_OK, 0), 0);
	}
	fd_close(&ticking.fd);
	assert_int_equal(umount2(ticking.path, MNT_DETACH), 0);
	free(ticking.path);
}

static void what_was_there_before(void **state)
{
	static const struct tree_item own[] = {{'d', "d", .mode = 0711},
					       {'f', "d/own", "o"},
					       {'f', "one", "o"},
					       {'f', "off", "o"},
					       {0}};
	CLEANUP(stack_release) struct stack stack;
	CLEANUP(layer_touch_freep) struct layer_touch *touch = NULL;
	CLEANUP(fd_close) int upper = tree_new(*state, "copy");
	CLEANUP(buf_release) struct buf names = BUF_INIT;
	const struct strv none = STRV_INIT;

	need_root();
	stack_make(*state, &stack, below, implied);
	tree_make(upper, own);
	assert_int_equal(layer_touch_new(upper, &owners_root, &touch, NULL), 0);
	assert_int_equal(
		layer_merge(stack.trees, TREES, &owners_root, LAYER_MERGE_COPY, upper, NULL), 0);
	assert_int_equal(layer_touch_begin(touch, NULL), 0);
	assert_int_equal(unlinkat(upper, "off", 0) | unlinkat(upper, "d/a", 0), 0);
	assert_int_equal(layer_touch_end(touch, NULL), 0);
	name_all(upper, &owners_root, &none, &names);
	assert_string_equal(buf_text(&names), "-off d -d/a d/own one");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(as_the_kernel_leaves_it),
		SCRATCH_TEST(in_the_same_tick),
		SCRATCH_TEST(what_was_there_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
