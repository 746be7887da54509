/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include "base/path.h"
#include "scratch.h"

static void clean_names(void **state)
{
	static const struct {
		const char *path;
		bool clean;
		const char *cleaned; /* NULL: refused */
	} table[] = {
		{"a", true, "a"},        {"a/b.c/d", true, "a/b.c/d"},
		{"...", true, "..."},    {".a/..b", true, ".a/..b"},
		{"", false, ""},         {"/", false, ""},
		{".", false, ""},        {"./.", false, ""},
		{"/a", false, "a"},      {"a/", false, "a"},
		{"a//b", false, "a/b"},  {"/a/./b//c/", false, "a/b/c"},
		{"..", false, NULL},     {"a/..", false, NULL},
		{"a/../b", false, NULL}, {"../a", false, NULL},
		{"/..", false, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CLEANUP(free_ptr) char *cleaned = path_clean(table[i].path);

		if (path_is_clean(table[i].path) != table[i].clean ||
		    !str_equal(cleaned, table[i].cleaned))
			fail_msg("\"%s\" -> \"%s\"", table[i].path, cleaned ? cleaned : "(null)");
	}
}

static void joining_and_splitting(void **state)
{
	static const struct {
		const char *dir, *name, *joined;
	} joins[] = {
		{"", "a", "a"},
		{"a", "b", "a/b"},
		{"/", "a", "/a"},
		{"a/b", "c/d", "a/b/c/d"},
	};
	static const struct {
		const char *path, *base;
		size_t dir_len;
	} splits[] = {
		{"a", "a", 0}, {"a/b", "b", 1}, {"ab/c/d", "d", 4}, {"/a", "a", 0}, {"", "", 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(joins); i++) {
		CLEANUP(free_ptr) char *joined = path_join(joins[i].dir, joins[i].name);

		assert_string_equal(joined, joins[i].joined);
	}
	for (size_t i = 0; i < ARRAY_SIZE(splits); i++) {
		assert_string_equal(path_base(splits[i].path), splits[i].base);
		assert_int_equal(path_dir_len(splits[i].path), splits[i].dir_len);
	}
}

/* A tree whose links do what they can to get out of root. */
static int hostile_root(const struct scratch *s)
{
	static const struct {
		const char *target, *name;
	} links[] = {
		{"/etc", "root/absolute"},
		{"../../../../../../../etc", "root/upwards"},
		{"../outside", "root/beside"},
		{"..", "root/up"},
		{"/", "root/top"},
		{"a/b", "root/inside"},
		{"/a/b/../b/./", "root/a/roundabout"},
		{"../../a/back", "root/a/back"},
		{"loop2", "root/loop1"},
		{"loop1", "root/loop2"},
		{"self/x", "root/self"},
		{"file", "root/to-file"},
		{"not/there", "root/dangling"},
		{"/proc/self/root", "root/magic"},
		{"chain2", "root/chain1"},
		{"/chain3", "root/chain2"},
		{"up/a", "root/chain3"},
	};
	int root;

	assert_int_equal(fd_mkdir_p(s->fd, "root/a/b/c", 0755), 0);
	assert_int_equal(fd_mkdir_p(s->fd, "root/etc", 0755), 0);
	assert_int_equal(fd_mkdir_p(s->fd, "outside", 0755), 0);
	scratch_write(s, "root/file", "x");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		assert_int_equal(symlinkat(links[i].target, s->fd, links[i].name), 0);
	root = openat(s->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	return root;
}

/* Opens path in root; expects the directory want (relative to root), or an error. */
static void check_open(int root, const char *path, bool create, const char *want, int error)
{
	CLEANUP(fd_close) int fd = path_open_dir_in(root, path, create);
	struct stat got, expected;

	if (error) {
		if (fd != error)
			fail_msg("%s: got %d, expected %d", path, fd, error);
		return;
	}
	if (fd < 0)
		fail_msg("%s: got %d", path, fd);
	assert_int_equal(fstat(fd, &got), 0);
	assert_int_equal(fstatat(root, want, &expected, AT_SYMLINK_NOFOLLOW), 0);
	if (got.st_ino != expected.st_ino || got.st_dev != expected.st_dev)
		fail_msg("%s is not %s", path, want);
}

static void links_stay_inside(void **state)
{
	static const struct {
		const char *path, *want;
		int error;
	} table[] = {
		{"a", "a", 0},
		{"a/b/c", "a/b/c", 0},
		{"", ".", 0},
		{"absolute", "etc", 0},
		{"upwards", "etc", 0},
		{"up", ".", 0},
		{"up/up/up/a", "a", 0},
		{"top/a", "a", 0},
		{"inside/c", "a/b/c", 0},
		{"a/roundabout/c", "a/b/c", 0},
		{"chain1/b", "a/b", 0},
		{"beside", NULL, -ENOENT},
		{"a/back", NULL, -ELOOP},
		{"loop1", NULL, -ELOOP},
		{"self", NULL, -ELOOP},
		{"file", NULL, -ENOTDIR},
		{"file/x", NULL, -ENOTDIR},
		{"to-file", NULL, -ENOTDIR},
		{"dangling", NULL, -ENOENT},
		{"absent/x", NULL, -ENOENT},
		{"magic", NULL, -ENOENT},
	};
	CLEANUP(fd_close) int root = hostile_root(*state);

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		check_open(root, table[i].path, false, table[i].want, table[i].error);
}

static void creation_stays_inside(void **state)
{
	static const struct {
		const char *path, *want;
		int error;
	} table[] = {
		{"new/x/y", "new/x/y", 0},      {"new/x/y", "new/x/y", 0},
		{"absolute/new", "etc/new", 0}, {"upwards/newer", "etc/newer", 0},
		{"beside/x", "outside/x", 0},   {"dangling/deep", "not/there/deep", 0},
		{"magic", "proc/self/root", 0}, {"file/x", NULL, -ENOTDIR},
		{"loop1/x", NULL, -ELOOP},
	};
	const struct scratch *s = *state;
	CLEANUP(fd_close) int root = hostile_root(s);
	mode_t before = umask(077);
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		check_open(root, table[i].path, true, table[i].want, table[i].error);
	(void)umask(before);
	assert_int_equal(fstatat(root, "new/x", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_false(scratch_exists(s, "outside/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_names),
		cmocka_unit_test(joining_and_splitting),
		SCRATCH_TEST(links_stay_inside),
		SCRATCH_TEST(creation_stays_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
