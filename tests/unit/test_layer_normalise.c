/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "layer/layer_match.h"
#include "layer_fixture.h"

enum { EPOCH = 1000 };

static const char *const scrub[] = {"var/log/*", "cache/**", NULL};
static const char *const mounts[] = {"mnt/src", "run/secrets/key", NULL};
static const struct layer_ownership ownership[] = {
	{"srv/**", 33, 33, -1}, {"srv/secret", -1, -1, 0600}, {"srv/x*", -1, 44, -1}};

static const struct {
	const char *name;
	struct tree_item lower[8], upper[8];
	const char *expected;
	const char *implied;
	const char *notices;
} cases[] = {
	{"nothing below",
	 {{0}},
	 {{'d', "d", .mtime = 5}, {'f', "d/f", "x", .mtime = 2000}, {'l', "l", "t", .mtime = 999}},
	 "d 0755 0:0 5 d\nf 0644 0:0 1000 d/f = x\nl 0777 0:0 999 l -> t\n",
	 "",
	 ""},
	{"an unchanged copy-up goes, whatever its time, and its directory too",
	 {{'d', "d", .mtime = 7}, {'f', "d/f", "x", .mtime = 3}, {'l', "d/l", "x"}, {'p', "d/p"}},
	 {{'d', "d", .mtime = 2000},
	  {'f', "d/f", "x", .mtime = 9},
	  {'l', "d/l", "x"},
	  {'p', "d/p"}},
	 "",
	 "",
	 ""},
	{"changed content, mode, owner, target, type",
	 {{'f', "a", "x"}, {'f', "b", "x"}, {'f', "c", "x"}, {'l', "d", "x"}, {'f', "e", "x"}},
	 {{'f', "a", "y"},
	  {'f', "b", "x", .mode = 0755},
	  {'f', "c", "x", .gid = 5},
	  {'l', "d", "y"},
	  {'l', "e", "x"}},
	 "f 0644 0:0 0 a = y\nf 0755 0:0 0 b = x\nf 0644 0:5 0 c = x\nl 0777 0:0 0 d -> y\n"
	 "l 0777 0:0 0 e -> x\n",
	 "",
	 ""},
	{"changed xattr",
	 {{'f', "a", "x", .xattr = "user.k", .value = "1"},
	  {'f', "b", "x", .xattr = "user.k", .value = "1"}},
	 {{'f', "a", "x", .xattr = "user.k", .value = "1"},
	  {'f', "b", "x", .xattr = "user.k", .value = "2"}},
	 "f 0644 0:0 0 b = x\n",
	 "",
	 ""},
	{"a parent of a change is implied and has the time of below",
	 {{'d', "d", .mtime = 7}, {'d', "d/e", .mtime = 8, .mode = 01777}},
	 {{'d', "d", .mtime = 2000, .xattr = "user.overlay.origin", .value = "o"},
	  {'d', "d/e", .mtime = 8, .mode = 01777},
	  {'f', "d/e/f", "x", .mtime = 1}},
	 "d 0755 0:0 7 d\nd 1777 0:0 8 d/e\nf 0644 0:0 1 d/e/f = x\n",
	 "d d/e",
	 ""},
	{"a directory with another mode has an entry",
	 {{'d', "d", .mtime = 7}},
	 {{'d', "d", .mtime = 7, .mode = 0700}},
	 "d 0700 0:0 7 d\n",
	 "",
	 ""},
	{"whiteouts of nothing go",
	 {{'f', "a"}, {'d', "d"}, {'l', "s", "d"}},
	 {{'w', "a"}, {'w', "b"}, {'d', "s"}, {'w', "s/a"}, {'d', "new"}, {'w', "new/a"}},
	 "w a\nd 0755 0:0 0 new\nd 0755 0:0 0 s\n",
	 "",
	 ""},
	{"a symlink below is not followed to look things up",
	 {{'d', "real"}, {'f', "real/f", "x"}, {'l', "s", "real"}},
	 {{'d', "s"}, {'f', "s/f", "x"}},
	 "d 0755 0:0 0 s\nf 0644 0:0 0 s/f = x\n",
	 "",
	 ""},
	{"an opaque directory",
	 {{'d', "d"},
	  {'f', "d/a"},
	  {'f', "d/b", "x"},
	  {'f', "d/c"},
	  {'d', "d/sub"},
	  {'f', "d/sub/z"}},
	 {{'d', "d", .mtime = 2000, .xattr = "user.overlay.opaque", .value = "y"},
	  {'f', "d/b", "x", .mtime = 2000},
	  {'d', "d/sub", .mtime = 2000}},
	 "d 0755 0:0 0 d\nw d/a\nw d/c\nd 0755 0:0 0 d/sub\nw d/sub/z\n",
	 "d d/sub",
	 ""},
	{"an opaque directory over something else",
	 {{'f', "d"}},
	 {{'d', "d", .mtime = 2000, .xattr = "user.overlay.opaque", .value = "y"},
	  {'f', "d/b", "x"}},
	 "d 0755 0:0 1000 d\nf 0644 0:0 0 d/b = x\n",
	 "",
	 ""},
	{"links of a file of below stay together",
	 {{'f', "a", "x"}},
	 {{'f', "a", "x"}, {'h', "b", "a"}},
	 "f 0644 0:0 0 a = x\nf 0644 0:0 0 b = x\n",
	 "",
	 ""},
	{"links that were links below go together",
	 {{'f', "a", "x"}, {'h', "b", "a"}},
	 {{'f', "a", "x", .mtime = 4}, {'h', "b", "a"}},
	 "",
	 "",
	 ""},
	{"links of a fifo and of a symlink, as those of files",
	 {{'p', "a"}, {'p', "p"}, {'h', "q", "p"}, {'l', "l", "x"}, {'h', "m", "l"}},
	 {{'p', "a"},
	  {'h', "b", "a"},
	  {'p', "p"},
	  {'h', "q", "p"},
	  {'l', "l", "x"},
	  {'h', "m", "l"}},
	 "p 0644 0:0 0 a\np 0644 0:0 0 b\n",
	 "",
	 ""},
	{"equal files that became links stay",
	 {{'f', "a", "x"}, {'f', "b", "x"}},
	 {{'f', "a", "x"}, {'h', "b", "a"}},
	 "f 0644 0:0 0 a = x\nf 0644 0:0 0 b = x\n",
	 "",
	 ""},
	{"scrubbed: files, not directories; what was below shows again",
	 {{'d', "var", .mtime = 1}, {'d', "var/log", .mtime = 1}, {'f', "var/log/a", "old"}},
	 {{'d', "var", .mtime = 1},
	  {'d', "var/log", .mtime = 2000},
	  {'f', "var/log/a", "new"},
	  {'d', "cache", .mtime = 6},
	  {'d', "cache/d", .mtime = 7},
	  {'f', "cache/d/f"}},
	 "d 0755 0:0 6 cache\nd 0755 0:0 7 cache/d\n",
	 "",
	 ""},
	{"mount points go with their new parents",
	 {{'d', "mnt", .mtime = 3}},
	 {{'d', "mnt", .mtime = 2000},
	  {'d', "mnt/src", .mtime = 2000},
	  {'d', "run"},
	  {'d', "run/secrets"},
	  {'f', "run/secrets/key"}},
	 "",
	 "",
	 ""},
	{"mount points with content stay",
	 {{0}},
	 {{'d', "mnt", .mtime = 3}, {'d', "mnt/src", .mtime = 3}, {'f', "mnt/src/f"}},
	 "d 0755 0:0 3 mnt\nd 0755 0:0 3 mnt/src\nf 0644 0:0 0 mnt/src/f\n",
	 "",
	 ""},
	{"sockets and devices go with a notice, and stay hidden",
	 {{'f', "a"}},
	 {{'s', "a"}, {'s', "b"}, {'c', "c"}},
	 "w a\n",
	 "",
	 "a: a socket is left out b: a socket is left out c: a device is left out"},
	{"ownership: the last rule that says something wins",
	 {{0}},
	 {{'d', "srv", .mtime = 1},
	  {'f', "srv/secret", .mode = 04755},
	  {'f', "srv/x1", .mode = 04755},
	  {'l', "srv/l", "t"},
	  {'f', "other"}},
	 "f 0644 0:0 0 other\nd 0755 33:33 1 srv\nl 0777 33:33 0 srv/l -> t\n"
	 "f 0600 33:33 0 srv/secret\nf 4755 33:44 0 srv/x1\n",
	 "",
	 ""},
	{"times before 1970 and of the future",
	 {{0}},
	 {{'f', "a", .mtime = -5}, {'f', "b", .mtime = 1LL << 33}},
	 "f 0644 0:0 0 a\nf 0644 0:0 1000 b\n",
	 "",
	 ""},
};

static void rules_of(struct layer_rules *rules)
{
	*rules = (struct layer_rules){
		.owners = &owners_root,
		.epoch = EPOCH,
		.scrub = scrub,
		.mounts = mounts,
		.ownership = ownership,
		.ownership_count = ARRAY_SIZE(ownership),
	};
}

static void table(void **state)
{
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(fd_close) int upper = tree_new(*state, "upper");
		CLEANUP(fd_close) int lower = tree_new(*state, "lower");
		CLEANUP(strv_release) struct strv implied = STRV_INIT;
		CLEANUP(strv_release) struct strv lines = STRV_INIT;
		CLEANUP(buf_release) struct buf is = BUF_INIT;
		const struct layer_notices notices = {&lines};
		struct varve_error err = {.code = 0};
		struct layer_rules rules;

		rules_of(&rules);
		tree_make(lower, cases[i].lower);
		tree_make(upper, cases[i].upper);
		if (layer_normalise(upper, lower, &rules, &notices, &implied, &err) < 0)
			fail_msg("%s: %s", cases[i].name, err.text);
		is = tree_dump(upper);
		if (strcmp(buf_text(&is), cases[i].expected) != 0)
			fail_msg("%s:\n%s\nand not\n%s", cases[i].name, buf_text(&is),
				 cases[i].expected);
		assert_lines(&implied, cases[i].implied);
		assert_lines(&lines, cases[i].notices);
	}
}

/* Once more changes nothing. */
static void idempotent(void **state)
{
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(fd_close) int upper = tree_new(*state, "upper");
		CLEANUP(fd_close) int lower = tree_new(*state, "lower");
		CLEANUP(strv_release) struct strv first = STRV_INIT, second = STRV_INIT;
		CLEANUP(buf_release) struct buf is = BUF_INIT;
		struct layer_rules rules;

		rules_of(&rules);
		tree_make(lower, cases[i].lower);
		tree_make(upper, cases[i].upper);
		assert_int_equal(layer_normalise(upper, lower, &rules, NULL, &first, NULL), 0);
		assert_int_equal(layer_normalise(upper, lower, &rules, NULL, &second, NULL), 0);
		is = tree_dump(upper);
		assert_string_equal(buf_text(&is), cases[i].expected);
		assert_lines(&second, cases[i].implied);
	}
}

static void without_lower(void **state)
{
	static const struct tree_item items[] = {
		{'d', "d", .mode = 0711}, {'w', "d/w"}, {'f', "d/f"}, {0}};
	CLEANUP(fd_close) int upper = tree_new(*state, "upper");
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	CLEANUP(buf_release) struct buf is = BUF_INIT;
	struct layer_rules rules;
	struct stat st;

	need_root();
	rules_of(&rules);
	tree_make(upper, items);
	assert_int_equal(fchmod(upper, 0700), 0);
	assert_int_equal(layer_normalise(upper, -1, &rules, NULL, &implied, NULL), 0);
	is = tree_dump(upper);
	assert_string_equal(is.data, "d 0711 0:0 0 d\nf 0644 0:0 0 d/f\n");
	assert_int_equal(implied.count, 0);
	assert_int_equal(fstat(upper, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_mtim.tv_sec, 0);
}

static void reserved_names(void **state)
{
	static const struct tree_item bad[][2] = {
		{{'f', ".wh.x"}}, {{'d', ".wh..wh..opq"}}, {{'l', ".wh.", "x"}}};

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(fd_close) int upper = tree_new(*state, "upper");
		CLEANUP(strv_release) struct strv implied = STRV_INIT;
		struct layer_rules rules;

		rules_of(&rules);
		tree_make(upper, bad[i]);
		assert_int_equal(layer_normalise(upper, -1, &rules, NULL, &implied, NULL),
				 -VARVE_E_FORMAT);
	}
}

static void xattrs(void **state)
{
	static const struct tree_item items[] = {{'f', "f", .xattr = "user.mine", .value = "1"},
						 {0}};
	CLEANUP(fd_close) int upper = tree_new(*state, "upper");
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	CLEANUP(fd_close) int fd = -1;
	struct layer_rules rules;
	char names[256];
	ssize_t n;

	need_root();
	rules_of(&rules);
	tree_make(upper, items);
	fd = openat(upper, "f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fsetxattr(fd, "user.overlay.origin", "1", 1, 0), 0);
	assert_int_equal(fsetxattr(fd, "user.varve.other", "1", 1, 0), 0);
	assert_int_equal(fsetxattr(fd, OWNER_XATTR, "1:2", 3, 0), 0);
	assert_int_equal(fsetxattr(fd, "trusted.t", "1", 1, 0), 0);
	assert_int_equal(fsetxattr(fd, "user.overlay.overlay.opaque", "y", 1, 0), 0);
	assert_int_equal(layer_normalise(upper, -1, &rules, NULL, &implied, NULL), 0);
	n = flistxattr(fd, names, sizeof(names));
	assert_int_equal(n, strlen("user.mine") + strlen("user.overlay.overlay.opaque") +
				    strlen(OWNER_XATTR) + 3);
}

/* The header of a .pyc for a source of 3 bytes. */
static void make_pyc(int root, const char *path, uint32_t flags, uint32_t mtime)
{
	unsigned char h[17] = {0xa7, 0x0d, '\r', '\n', (unsigned char)flags, [12] = 3, [16] = 'c'};
	CLEANUP(fd_close)
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	for (int i = 0; i < 4; i++)
		h[8 + i] = (unsigned char)(mtime >> 8 * i);
	assert_int_equal(fd_write_all(fd, h, sizeof(h)), 0);
}

static const struct pyc_case {
	const char *name;
	const char *pyc;
	uint32_t flags, mtime;
	const char *source;
	time_t source_mtime;
	bool below; /* the same source is below, of time 77 */
	uint32_t expected;
} pyc_cases[] = {
	{"clamped", "__pycache__/m.cpython-311.pyc", 0, 5000, "m.py", 5000, false, EPOCH},
	{"optimised", "__pycache__/m.cpython-311.opt-2.pyc", 0, 5000, "m.py", 5000, false, EPOCH},
	{"sorts before __pycache__", "__pycache__/M.cpython-311.pyc", 0, 5000, "M.py", 5000, false,
	 EPOCH},
	{"old enough", "__pycache__/m.cpython-311.pyc", 0, 500, "m.py", 500, false, 500},
	{"source unchanged", "__pycache__/m.cpython-311.pyc", 0, 5000, "m.py", 5000, true, 77},
	{"stale before", "__pycache__/m.cpython-311.pyc", 0, 4999, "m.py", 5000, false, 4999},
	{"by hash", "__pycache__/m.cpython-311.pyc", 3, 5000, "m.py", 5000, false, 5000},
	{"no source", "__pycache__/m.cpython-311.pyc", 0, 5000, "n.py", 5000, false, 5000},
	{"another name", "__pycache__/m.pyc", 0, 5000, "m.py", 5000, false, 5000},
};

static void run_pyc_case(const struct scratch *s, const struct pyc_case *c)
{
	const struct tree_item source[] = {{'f', c->source, "abc", .mtime = c->source_mtime}, {0}};
	const struct tree_item below[] = {{'f', c->source, "abc", .mtime = 77}, {0}};
	CLEANUP(fd_close) int upper = tree_new(s, "upper"), lower = tree_new(s, "lower"), fd = -1;
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	struct layer_rules rules;
	unsigned char h[17];
	uint32_t mtime;

	rules_of(&rules);
	tree_make(upper, source);
	if (c->below)
		tree_make(lower, below);
	assert_int_equal(mkdirat(upper, "__pycache__", 0755), 0);
	make_pyc(upper, c->pyc, c->flags, c->mtime);
	assert_int_equal(layer_normalise(upper, lower, &rules, NULL, &implied, NULL), 0);
	fd = openat(upper, c->pyc, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fd_read_full(fd, h, sizeof(h)), 17);
	mtime = h[8] | (uint32_t)h[9] << 8 | (uint32_t)h[10] << 16 | (uint32_t)h[11] << 24;
	if (mtime != c->expected)
		fail_msg("%s: %u, not %u", c->name, mtime, c->expected);
	assert_int_equal(h[16], 'c');
}

static void pyc(void **state)
{
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(pyc_cases); i++)
		run_pyc_case(*state, &pyc_cases[i]);
}

/* A recompiled .pyc of an unchanged source ends up as the one below, and goes. */
static void pyc_unchanged(void **state)
{
	static const struct tree_item below[] = {
		{'d', "__pycache__"}, {'f', "m.py", "abc", .mtime = 77}, {0}};
	static const struct tree_item above[] = {
		{'d', "__pycache__"}, {'f', "m.py", "abc", .mtime = 5000}, {0}};
	CLEANUP(fd_close) int upper = tree_new(*state, "upper"), lower = tree_new(*state, "lower");
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	CLEANUP(buf_release) struct buf is = BUF_INIT;
	struct layer_rules rules;

	need_root();
	rules_of(&rules);
	tree_make(lower, below);
	tree_make(upper, above);
	make_pyc(lower, "__pycache__/m.cpython-311.pyc", 0, 77);
	make_pyc(upper, "__pycache__/m.cpython-311.pyc", 0, 5000);
	assert_int_equal(layer_normalise(upper, lower, &rules, NULL, &implied, NULL), 0);
	is = tree_dump(upper);
	assert_string_equal(buf_text(&is), "");
}

static void patterns(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool match;
	} table[] = {
		{"a/b", "a/b", true},         {"a/b", "a/b/c", false},   {"a/*", "a/b", true},
		{"a/*", "a/b/c", false},      {"a/**", "a", true},       {"a/**", "a/b/c", true},
		{"a/**", "ab", false},        {"*/x/**", "q/x/y", true}, {"*/x/**", "x/y", false},
		{"*/x/**", "q/r/x/y", false}, {"**", "any/thing", true}, {"[ab]?", "ac", true},
		{"*", ".hidden", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (layer_match(table[i].pattern, table[i].path) != table[i].match)
			fail_msg("%s %s", table[i].pattern, table[i].path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(table, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(idempotent, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(without_lower, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(reserved_names, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(xattrs, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(pyc, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(pyc_unchanged, scratch_setup, scratch_teardown),
		cmocka_unit_test(patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
