/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>
#include <sys/resource.h>
#include "base/digest.h"
#include "base/sink.h"
#include "layer/layer_tar_read.h"
#include "layer_fixture.h"

static int write_tree(int tree, const struct strv *implied, struct buf *tar, uint64_t *entries,
		      struct varve_error *err)
{
	struct sink_buf out;

	sink_buf_init(&out, tar);
	return layer_write(tree, implied, &owners_root, &out.sink, entries, err);
}

struct memory {
	const struct buf *buf;
	size_t at;
};

static ssize_t read_memory(void *cookie, void *data, size_t len, struct varve_error *err)
{
	struct memory *m = cookie;
	size_t left = m->buf->len - m->at, n = left < len ? left : len;

	(void)err;
	memcpy(data, m->buf->data + m->at, n);
	m->at += n;
	return (ssize_t)n;
}

/* "TYPE PATH[>LINK]" of each entry, separated by spaces. */
static char *list(const struct buf *tar)
{
	struct memory m = {tar, 0};
	CLEANUP(tar_reader_freep) struct tar_reader *t = tar_reader_new(read_memory, &m);
	struct buf out = BUF_INIT;
	struct tar_item item;
	int r;

	while ((r = tar_reader_next(t, &item, NULL)) > 0)
		buf_addf(&out, "%s%c %s%s%s", out.len ? " " : "", (char)item.type, item.path,
			 *item.link ? ">" : "", item.link);
	assert_int_equal(r, 0);
	return buf_steal(&out);
}

static const struct {
	const char *name;
	struct tree_item items[8];
	const char *implied; /* one path, or NULL */
	const char *expected;
} cases[] = {
	{"nothing", {{0}}, NULL, ""},
	{"bytewise by component",
	 {{'d', "a"}, {'f', "a/z"}, {'f', "a-b"}, {'f', "B"}, {'f', "a.c"}, {'f', "\xc3\xa4"}},
	 NULL,
	 "0 B 5 a/ 0 a/z 0 a-b 0 a.c 0 \xc3\xa4"},
	{"whiteouts first",
	 {{'f', "#f"}, {'f', "+f"}, {'w', "z"}, {'w', "a"}, {'d', "d"}, {'w', "d/w"}, {'f', "d/-"}},
	 NULL,
	 "0 .wh.a 0 .wh.z 0 #f 0 +f 5 d/ 0 d/.wh.w 0 d/-"},
	{"no entry for an implied directory",
	 {{'d', "d"}, {'d', "d/e"}, {'f', "d/e/f"}},
	 "d",
	 "5 d/e/ 0 d/e/f"},
	{"the first name has the content",
	 {{'d', "b"}, {'f', "z", "same"}, {'h', "b/one", "z"}, {'h', "c", "z"}},
	 NULL,
	 "5 b/ 0 b/one 1 c>b/one 1 z>b/one"},
	{"further names of what is no regular file",
	 {{'l', "a", "x"}, {'h', "b", "a"}, {'p', "p"}, {'h', "q", "p"}},
	 NULL,
	 "2 a>x 1 b>a 6 p 1 q>p"},
	{"links and fifos", {{'l', "l", "/to/nowhere"}, {'p', "p"}}, NULL, "2 l>/to/nowhere 6 p"},
	{"an opaque directory of a foreign layer",
	 {{'d', "d", .xattr = "user.overlay.opaque", .value = "y"}, {'f', "d/f"}},
	 NULL,
	 "5 d/ 0 d/.wh..wh..opq 0 d/f"},
};

static void order(void **state)
{
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(fd_close) int tree = tree_new(*state, "tree");
		CLEANUP(strv_release) struct strv implied = STRV_INIT;
		CLEANUP(buf_release) struct buf tar = BUF_INIT;
		CLEANUP(free_ptr) char *is = NULL;
		uint64_t entries;

		tree_make(tree, cases[i].items);
		if (cases[i].implied)
			strv_add(&implied, cases[i].implied);
		assert_int_equal(write_tree(tree, &implied, &tar, &entries, NULL), 0);
		is = list(&tar);
		if (strcmp(is, cases[i].expected) != 0)
			fail_msg("%s:\n%s\nand not\n%s", cases[i].name, is, cases[i].expected);
		assert_int_equal(tar.len % TAR_BLOCK, 0);
	}
}

static const struct tree_item golden[] = {
	{'d', "bin", .mtime = 1000},
	{'f', "bin/tool", "#!/bin/sh\n", .mode = 04755, .mtime = 1234567890},
	{'h', "bin/alias", "bin/tool"},
	{'d', "var", .mode = 02775, .gid = 50, .mtime = 5},
	{'f', "var/empty", .mode = 0600, .uid = 1, .gid = 2, .mtime = 315532800},
	{'l', "lib", "usr/lib", .mtime = 7},
	{'w', "gone"},
	{0},
};

/* Promised to be the same everywhere: a change of this digest needs a new LAYER_RULES_VERSION. It
 * was computed by tests/golden/make.py, which knows only the format. */
static void golden_digest(void **state)
{
	CLEANUP(fd_close) int tree = tree_new(*state, "tree");
	CLEANUP(buf_release) struct buf tar = BUF_INIT;
	struct varve_digest digest;
	char text[VARVE_DIGEST_TEXT];
	uint64_t entries;

	need_root();
	tree_make(tree, golden);
	assert_int_equal(write_tree(tree, NULL, &tar, &entries, NULL), 0);
	assert_int_equal(entries, 7);
	digest_bytes(tar.data, tar.len, &digest);
	assert_string_equal(
		varve_digest_text(&digest, text),
		"sha256:76464f891f05c22fd20bad7fc0d0c755258eaff29b21f88d5c83d1f44bab075a");
}

/* Holes are zeros, whatever the file system says about them. */
static void sparse(void **state)
{
	CLEANUP(fd_close) int tree = tree_new(*state, "tree");
	CLEANUP(fd_close) int fd = openat(tree, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	CLEANUP(buf_release) struct buf tar = BUF_INIT;
	const size_t size = 3 << 20;
	uint64_t entries;

	assert_int_equal(pwrite(fd, "x", 1, 1 << 20), 1);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(write_tree(tree, NULL, &tar, &entries, NULL), 0);
	assert_int_equal(tar.len, TAR_BLOCK + size + TAR_END);
	for (size_t i = 0; i < size; i++)
		if (tar.data[TAR_BLOCK + i] != (i == 1 << 20 ? 'x' : 0))
			fail_msg("byte %zu", i);
}

static void refused(void **state)
{
	static const struct tree_item bad[][2] = {
		{{'f', ".wh.x"}}, {{'d', ".wh..wh..opq"}}, {{'s', "socket"}}};

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(fd_close) int tree = tree_new(*state, "tree");
		CLEANUP(buf_release) struct buf tar = BUF_INIT;
		uint64_t entries;

		tree_make(tree, bad[i]);
		assert_int_equal(write_tree(tree, NULL, &tar, &entries, NULL), -VARVE_E_FORMAT);
	}
}

/* Deeper than descriptors could be held for each level. */
static void deep(void **state)
{
	CLEANUP(fd_close) int tree = tree_new(*state, "tree");
	CLEANUP(buf_release) struct buf tar = BUF_INIT, path = BUF_INIT;
	struct rlimit before, few = {64, 64};
	uint64_t entries;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	for (int i = 0; i < 1900; i++) {
		buf_addstr(&path, i > 0 ? "/d" : "d");
		assert_int_equal(mkdirat(tree, path.data, 0755), 0);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(write_tree(tree, NULL, &tar, &entries, NULL), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(entries, 1900);
}

struct resizing {
	struct sink sink;
	int tree;
	off_t size; /* what the file gets while it is read */
};

static int resize(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	const struct resizing *z = (struct resizing *)sink;
	CLEANUP(fd_close) int fd = openat(z->tree, "f", O_WRONLY | O_CLOEXEC);

	(void)data;
	(void)len;
	(void)err;
	return ftruncate(fd, z->size) < 0 ? -1 : 0;
}

static int nothing(struct sink *sink, struct varve_error *err)
{
	(void)sink;
	(void)err;
	return 0;
}

/* The file loses its end, or grows, while it is read. */
static void changing(void **state)
{
	static const struct sink_ops ops = {resize, nothing, NULL};
	static const off_t sizes[] = {1 << 20, 6 << 20};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		CLEANUP(fd_close) int tree = tree_new(*state, "tree");
		CLEANUP(fd_close) int fd = openat(tree, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		CLEANUP(free_ptr) char *data = xcalloc(1, 5 << 20);
		struct resizing z = {{.ops = &ops}, tree, sizes[i]};
		struct varve_error err = {.code = 0};
		uint64_t entries;

		assert_int_equal(fd_write_all(fd, data, 5 << 20), 0);
		assert_int_equal(layer_write(tree, NULL, &owners_root, &z.sink, &entries, &err),
				 -ESTALE);
		assert_non_null(strstr(err.text, "f changed while it was read"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(order, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(golden_digest, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(sparse, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(refused, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(deep, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(changing, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
