/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_fixture.h"

#include <errno.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include "base/cleanup.h"

enum { MANY = 500 };

/* Everything happens in a namespace, in the fixture's directory, which is the working directory. */
struct stage {
	int dirfd, upper, work, root;
};

static struct stage enter(struct fixture *fixture)
{
	struct stage s = {.dirfd = fixture->dirfd};

	enter_directory(fixture);
	s.upper = make_directory(s.dirfd, "upper");
	s.work = make_directory(s.dirfd, "work");
	s.root = make_directory(s.dirfd, "root");
	REQUIRE(s.upper >= 0 && s.work >= 0 && s.root >= 0);
	return s;
}

static int make_lower(int dirfd, const char *name, const char *file, const char *text)
{
	int fd = make_directory(dirfd, name);

	REQUIRE(fd >= 0 && make_file(fd, file, text) == 0);
	return fd;
}

static int holds(const char *path, const char *text)
{
	CLEANUP(buf_release) struct buf found = BUF_INIT;

	return fd_read_file(AT_FDCWD, path, 4096, &found, NULL) == 0 &&
	       strcmp(buf_text(&found), text) == 0;
}

static int exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static int topmost_wins(void *cookie)
{
	struct stage s = enter(cookie);
	int top = make_lower(s.dirfd, "a", "file", "top");
	int bottom = make_lower(s.dirfd, "b", "file", "bottom");
	/* The same directory twice, also through another descriptor. */
	int again = openat(s.dirfd, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	REQUIRE(make_file(bottom, "below", "x") == 0);
	REQUIRE(sandbox_overlay((int[]){top, top, bottom, again, bottom}, 5, s.upper, s.work,
				"root", NULL) == 0);
	REQUIRE(holds("root/file", "top") && holds("root/below", "x"));
	REQUIRE(sandbox_unmount("root", NULL) == 0);
	REQUIRE(!exists("root/file"));
	return 0;
}

static int changes_go_to_upper(void *cookie)
{
	struct stage s = enter(cookie);
	int lower = make_lower(s.dirfd, "a", "gone", "x");
	char value[2] = "";
	struct stat st;
	int dir = make_directory(lower, "dir");

	REQUIRE(make_file(dir, "inside", "x") == 0);
	REQUIRE(sandbox_overlay(&lower, 1, s.upper, s.work, "root", NULL) == 0);
	REQUIRE(unlink("root/gone") == 0 && unlink("root/dir/inside") == 0);
	REQUIRE(rmdir("root/dir") == 0 && mkdir("root/dir", 0755) == 0);
	REQUIRE(make_file(AT_FDCWD, "root/new", "y") == 0);
	REQUIRE(chown("root/new", 1234, 4321) == 0);
	REQUIRE(sandbox_unmount("root", NULL) == 0);
	REQUIRE(lstat("upper/gone", &st) == 0 && S_ISCHR(st.st_mode));
	REQUIRE(st.st_rdev == makedev(0, 0));
	REQUIRE(getxattr("upper/dir", "user.overlay.opaque", value, 1) == 1 && value[0] == 'y');
	REQUIRE(holds("upper/new", "y") && stat("upper/new", &st) == 0);
	REQUIRE(st.st_uid == 1234 && st.st_gid == 4321);
	REQUIRE(holds("a/gone", "x"));
	return 0;
}

static int nothing_below(void *cookie)
{
	struct stage s = enter(cookie);

	REQUIRE(sandbox_overlay(NULL, 0, s.upper, s.work, "root", NULL) == 0);
	REQUIRE(make_file(AT_FDCWD, "root/new", "y") == 0);
	REQUIRE(sandbox_unmount("root", NULL) == 0);
	REQUIRE(holds("upper/new", "y"));
	REQUIRE(sandbox_overlay(NULL, 0, -1, -1, "root", NULL) == 0);
	REQUIRE(!exists("root/new"));
	REQUIRE(sandbox_unmount("root", NULL) == 0);
	return 0;
}

static int read_only_views(void *cookie)
{
	struct stage s = enter(cookie);
	int lowers[2] = {make_lower(s.dirfd, "a", "one", "1"),
			 make_lower(s.dirfd, "b", "two", "2")};
	size_t count;

	for (count = 1; count <= 2; count++) {
		REQUIRE(sandbox_overlay(lowers, count, -1, -1, "root", NULL) == 0);
		REQUIRE(holds("root/one", "1") && exists("root/two") == (count == 2));
		REQUIRE(make_file(AT_FDCWD, "root/new", "y") < 0 && errno == EROFS);
		REQUIRE(unlink("root/one") < 0 && errno == EROFS);
		REQUIRE(sandbox_unmount("root", NULL) == 0);
	}
	/* The same tree twice is one tree, and overlayfs refuses one without an upper directory. */
	REQUIRE(sandbox_overlay((int[]){lowers[0], lowers[0]}, 2, -1, -1, "root", NULL) == 0);
	REQUIRE(holds("root/one", "1") && make_file(AT_FDCWD, "root/new", "y") < 0);
	REQUIRE(sandbox_unmount("root", NULL) == 0);
	return 0;
}

static int many_layers(void *cookie)
{
	struct stage s = enter(cookie);
	static int lowers[MANY + 1];
	char name[32];
	struct varve_error err = {0};
	int i;

	for (i = 0; i <= MANY; i++) {
		(void)snprintf(name, sizeof(name), "a-rather-long-name-%d", i);
		lowers[i] = make_lower(s.dirfd, name, name, "x");
	}
	REQUIRE(sandbox_overlay(lowers, MANY, s.upper, s.work, "root", &err) == 0);
	REQUIRE(exists("root/a-rather-long-name-0") && exists("root/a-rather-long-name-499"));
	REQUIRE(sandbox_unmount("root", NULL) == 0);
	REQUIRE(sandbox_overlay(lowers, MANY + 1, s.upper, s.work, "root", &err) == -VARVE_E_LIMIT);
	return 0;
}

/* Names that would be syntax in the options of a mount. */
static int odd_names(void *cookie)
{
	struct stage s = enter(cookie);
	int lowers[2] = {make_lower(s.dirfd, "a:b,c\\d", "one", "1"),
			 make_lower(s.dirfd, " ", "two", "2")};

	REQUIRE(sandbox_overlay(lowers, 2, s.upper, s.work, "root", NULL) == 0);
	REQUIRE(holds("root/one", "1") && holds("root/two", "2"));
	REQUIRE(sandbox_unmount("root", NULL) == 0);
	return 0;
}

static int leaves_nothing(void *cookie)
{
	struct fixture *fixture = cookie;
	struct stage s = enter(cookie);
	int lower = make_lower(s.dirfd, "a", "one", "1");
	char cwd[128];
	struct varve_error err = {0};

	REQUIRE(sandbox_overlay(&lower, 1, s.upper, -1, "root", &err) < 0 && *err.text);
	REQUIRE(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, fixture->path) == 0);
	REQUIRE(sandbox_unmount("root", NULL) < 0);
	REQUIRE(sandbox_overlay(&lower, 1, s.upper, s.work, "missing", &err) == -ENOENT);
	/* In use: it goes all the same. */
	REQUIRE(sandbox_overlay(&lower, 1, s.upper, s.work, "root", NULL) == 0);
	REQUIRE(open("root/one", O_RDONLY | O_CLOEXEC) >= 0);
	REQUIRE(sandbox_unmount("root", NULL) == 0 && !exists("root/one"));
	return 0;
}

static const struct overlay_case {
	const char *what;
	int (*inside)(void *cookie);
} cases[] = {
	{"the topmost wins, equal ones count once", topmost_wins},
	{"changes go to the upper directory", changes_go_to_upper},
	{"nothing below", nothing_below},
	{"read-only views", read_only_views},
	{"500 layers", many_layers},
	{"odd names", odd_names},
	{"a failure leaves nothing behind", leaves_nothing},
};

static void test_overlays(void **state)
{
	void *fixture = *state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int status;

		assert_int_equal(fixture_setup(&fixture), 0);
		status = fixture_inside(fixture, cases[i].inside, fixture);
		assert_int_equal(fixture_teardown(&fixture), 0);
		if (status != 0)
			fail_msg("%s: status %d", cases[i].what, status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_overlays)};

	if (fixture_cannot_run())
		return 0;
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
