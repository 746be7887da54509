/* SPDX-License-Identifier: Apache-2.0
 * Which part each file of a split tree goes to: tables, and what must hold of any tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/path.h"
#include "layer/layer_split.h"

/* --- trees -------------------------------------------------------------------------------------
 */

/* A file, or an empty directory where the path ends in '/'. */
struct file {
	char path[48];
	uint64_t size;
	ino_t inode; /* 0: one name */
};

struct tree {
	struct file *files; /* by path, as strings of components */
	size_t count, alloc;
};

static void tree_release(struct tree *tree)
{
	free(tree->files);
	*tree = (struct tree){0};
}

static void add(struct tree *tree, const char *path, uint64_t size, ino_t inode)
{
	struct file file = {.size = size, .inode = inode};

	(void)snprintf(file.path, sizeof(file.path), "%s", path);
	tree->files = array_grow(tree->files, tree->count, &tree->alloc, sizeof(*tree->files));
	tree->files[tree->count++] = file;
}

/* '/' before everything else: the order of the walk. */
static int by_walk(const void *a, const void *b)
{
	const char *x = ((const struct file *)a)->path, *y = ((const struct file *)b)->path;

	for (; *x && *x == *y; x++, y++)
		;
	return (*x == '/' ? 1 : (unsigned char)*x + 1) - (*y == '/' ? 1 : (unsigned char)*y + 1);
}

/* Leaves and enters directories until the walk is in that of path. */
static void go_to(struct split *split, struct buf *at, const char *path)
{
	while (at->len > 0 && (strncmp(path, at->data, at->len) != 0 || path[at->len] != '/')) {
		split_leave(split, buf_text(at));
		at->len = path_dir_len(buf_text(at));
		at->data[at->len] = '\0';
	}
	for (const char *slash = strchr(path + at->len + (at->len > 0), '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		buf_reset(at);
		buf_add(at, path, (size_t)(slash - path));
		split_enter(split, buf_text(at));
	}
}

static void run(const struct tree *tree, const struct layer_split *how, struct split *ret)
{
	CLEANUP(buf_release) struct buf at = BUF_INIT;

	if (tree->count > 1)
		qsort(tree->files, tree->count, sizeof(*tree->files), by_walk);
	split_begin(ret, how);
	for (size_t i = 0; i < tree->count; i++) {
		const struct file *f = &tree->files[i];

		go_to(ret, &at, f->path);
		if (!str_ends(f->path, "/"))
			split_add(ret, &(struct split_file){f->path, f->size, 1, f->inode,
							    f->inode != 0});
	}
	go_to(ret, &at, "");
	split_end(ret);
}

/* --- tables ------------------------------------------------------------------------------------
 */

static const struct {
	const char *what, *files; /* "PATH SIZE[=INODE] ..."; sizes in blocks */
	const char *directories[4];
	uint64_t maximum; /* in blocks */
	const char *want; /* part of each file, in the order given */
} rows[] = {
	{"nothing", "", {NULL}, 10, ""},
	{"all fits", "a/x 3 a/y 3", {NULL}, 10, "00"},
	{"no bound", "a/x 300 b/y 300", {NULL}, 0, "00"},
	{"a large file stands alone", "a/x 3 a/y 9 b/z 1", {NULL}, 12, "010"},
	{"larger than maximum", "a/x 3 a/y 90", {NULL}, 10, "01"},
	{"a directory that fits is one", "a/x 5 a/y 5 b/x 5 b/y 5 c 1", {NULL}, 14, "00112"},
	{"a listed directory", "a/b/x 1 a/c/y 1 d 1", {"a/b"}, 0, "100"},
	{"its place in the list counts", "a/x 1 b/x 1 c/x 1", {"c", "a"}, 0, "201"},
	{"the innermost counts", "a/b/x 1 a/y 1 z 1", {"a", "a/b"}, 0, "210"},
	{"a listed file", "a/x 1 a/y 1", {"a/y"}, 0, "01"},
	{"all is listed", "a/x 1 a/y 1", {"a"}, 0, "00"},
	{"a listed directory that is not there", "a/x 1 b 1", {"c"}, 0, "00"},
	{"names that begin alike", "a/x 1 a-b/y 1 ab/z 1", {"a"}, 0, "100"},
	{"both", "a/x 9 a/y 9 b 1", {"a"}, 12, "120"},
	{"an empty directory", "a/b/ 0 a/c/x 1", {"a/b"}, 0, "10"},
	{"hard links in one zone", "a/x 3=7 b/y 3=7", {NULL}, 8, "00"},
	{"hard links count once", "a/x 9=7 b/y 9=7", {NULL}, 20, "00"},
	{"a link into another zone", "a/x 1=7 b/y 1=7 b/z 1", {"b"}, 0, "011"},
	{"a link that is a unit goes with the first", "a/x 9=7 a/y 9 z 9=7", {NULL}, 16, "010"},
};

static void read_tree(const char *text, struct tree *ret)
{
	while (*text) {
		unsigned long long blocks, inode = 0;
		char path[48];
		int len = 0;

		assert_int_equal(sscanf(text, "%47s %llu%n", path, &blocks, &len), 2);
		text += len;
		if (*text == '=')
			inode = strtoull(text + 1, (char **)(uintptr_t)&text, 10);
		text += *text == ' ';
		add(ret, path, blocks * 512, inode);
	}
}

static void check_row(size_t row)
{
	CLEANUP(tree_release) struct tree tree = {0}, given = {0};
	CLEANUP(split_release) struct split split = {0};
	CLEANUP(buf_release) struct buf got = BUF_INIT;
	const struct layer_split how = {rows[row].directories, rows[row].maximum * 512};

	read_tree(rows[row].files, &given);
	read_tree(rows[row].files, &tree);
	run(&tree, &how, &split);
	for (size_t i = 0; i < given.count; i++) {
		CLEANUP(free_ptr) char *path = xstrdup(given.files[i].path);

		if (str_ends(path, "/"))
			path[strlen(path) - 1] = '\0';
		buf_addf(&got, "%d", split_part(&split, path));
	}
	if (!str_equal(buf_text(&got), rows[row].want))
		fail_msg("%s: %s, not %s", rows[row].what, buf_text(&got), rows[row].want);
}

static void tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(i);
}

static int note_stray(void *cookie, const char *path, int part)
{
	buf_addf(cookie, "%s>%d ", path, part);
	return 0;
}

static void links_out_of_a_unit_are_told(void **state)
{
	CLEANUP(tree_release) struct tree tree = {0};
	CLEANUP(split_release) struct split split = {0};
	CLEANUP(buf_release) struct buf got = BUF_INIT;
	const char *const directories[] = {"b", NULL};

	(void)state;
	read_tree("a/x 1=7 b/c/y 1=7 b/c/z 1 d 1=7", &tree);
	run(&tree, &(struct layer_split){directories, 0}, &split);
	assert_int_equal(split.part_count, 2);
	assert_int_equal(split_strays(&split, note_stray, &got), 0);
	assert_string_equal(buf_text(&got), "b/c/y>0 ");
}

/* --- any tree ----------------------------------------------------------------------------------
 */

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

enum { SMALL = 8000, LARGE = 60000, MAXIMUM = 100 << 10, TREES = 20, CHANGES = 25 };

/* Most files are small; names and depth as they come. */
static void random_file(uint32_t *seed, struct tree *tree)
{
	char path[48];
	unsigned top = next(seed) % 6, middle = next(seed) % 9, kind = next(seed) % 20;
	uint64_t size = next(seed) % (kind == 0 ? LARGE : SMALL);

	if (kind < 3)
		(void)snprintf(path, sizeof(path), "d%u/f%u", top, next(seed) % 100000);
	else
		(void)snprintf(path, sizeof(path), "d%u/e%u/g%u/f%u", top, middle, next(seed) % 3,
			       next(seed) % 100000);
	add(tree, path, size, 0);
}

/* One number per part: of its files' names and sizes. */
static void fingerprints(const struct tree *tree, const struct split *split, uint64_t *ret)
{
	for (size_t i = 0; i < tree->count; i++) {
		struct varve_digest digest;
		uint64_t one;

		digest_bytes(&tree->files[i], sizeof(struct file), &digest);
		memcpy(&one, digest.bytes, sizeof(one));
		ret[split_part(split, tree->files[i].path)] += one;
	}
}

static void check_bounds(const struct tree *tree, const struct split *split)
{
	CLEANUP(free_ptr) uint64_t *bytes = xcalloc((size_t)split->part_count + 1, sizeof(*bytes));
	CLEANUP(free_ptr) uint64_t *files = xcalloc((size_t)split->part_count + 1, sizeof(*files));

	for (size_t i = 0; i < tree->count; i++) {
		int part = split_part(split, tree->files[i].path);

		assert_in_range(part, 0, split->part_count - 1);
		bytes[part] += tree->files[i].size;
		files[part]++;
	}
	for (int i = 0; i < split->part_count; i++)
		assert_true(files[i] == 1 || (files[i] > 1 && bytes[i] <= MAXIMUM));
}

/* How many parts of before are not in after. */
static unsigned changed_parts(const struct tree *before, const struct tree *after)
{
	const struct layer_split how = {NULL, MAXIMUM};
	CLEANUP(split_release) struct split a = {0}, b = {0};
	CLEANUP(free_ptr) uint64_t *was = NULL, *is = NULL;
	unsigned changed = 0;

	run(before, &how, &a);
	run(after, &how, &b);
	check_bounds(before, &a);
	was = xcalloc((size_t)a.part_count + 1, sizeof(*was));
	is = xcalloc((size_t)b.part_count + 1, sizeof(*is));
	fingerprints(before, &a, was);
	fingerprints(after, &b, is);
	for (int i = 0; i < a.part_count; i++) {
		int k = 0;

		while (k < b.part_count && is[k] != was[i])
			k++;
		changed += k == b.part_count;
	}
	return changed;
}

/* One file grows, goes or comes. */
static void change(uint32_t *seed, struct tree *tree)
{
	struct file *file = &tree->files[next(seed) % tree->count];

	switch (next(seed) % 3) {
	case 0:
		file->size += next(seed) % 500 + 1;
		break;
	case 1:
		*file = tree->files[--tree->count];
		break;
	default:
		random_file(seed, tree);
	}
}

/* With some 30 parts: one changes, and seldom a second one whose bound was crossed. */
static void small_changes_stay_small(void **state)
{
	unsigned changed = 0, worst = 0, parts = 0;
	uint32_t seed = 1;

	(void)state;
	for (int t = 0; t < TREES; t++) {
		CLEANUP(tree_release) struct tree before = {0};

		for (int i = 0; i < 500; i++)
			random_file(&seed, &before);
		for (int i = 0; i < CHANGES; i++) {
			CLEANUP(tree_release) struct tree after = {0};
			unsigned now;

			for (size_t k = 0; k < before.count; k++)
				add(&after, before.files[k].path, before.files[k].size, 0);
			change(&seed, &after);
			now = changed_parts(&before, &after);
			changed += now;
			worst = now > worst ? now : worst;
		}
	}
	{
		CLEANUP(tree_release) struct tree tree = {0};
		CLEANUP(split_release) struct split split = {0};

		for (int i = 0; i < 500; i++)
			random_file(&seed, &tree);
		run(&tree, &(struct layer_split){NULL, MAXIMUM}, &split);
		parts = (unsigned)split.part_count;
	}
	print_message("%u changes of one file: %u parts changed, at most %u of about %u\n",
		      TREES * CHANGES, changed, worst, parts);
	assert_in_range(parts, 20, 60);
	assert_in_range(changed, TREES * CHANGES * 9 / 10, TREES * CHANGES * 12 / 10);
	assert_true(worst <= 6);
}

/* The order in which files were made is none of its business. */
static void the_order_of_names_does_not_matter(void **state)
{
	const struct layer_split how = {NULL, MAXIMUM};
	CLEANUP(tree_release) struct tree one = {0}, other = {0};
	CLEANUP(split_release) struct split a = {0}, b = {0};
	uint32_t seed = 7;

	(void)state;
	for (int i = 0; i < 300; i++)
		random_file(&seed, &one);
	for (size_t i = one.count; i-- > 0;)
		add(&other, one.files[i].path, one.files[i].size, 0);
	run(&one, &how, &a);
	run(&other, &how, &b);
	assert_int_equal(a.part_count, b.part_count);
	for (size_t i = 0; i < one.count; i++)
		assert_int_equal(split_part(&a, one.files[i].path),
				 split_part(&b, one.files[i].path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(links_out_of_a_unit_are_told),
		cmocka_unit_test(small_changes_stay_small),
		cmocka_unit_test(the_order_of_names_does_not_matter),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
