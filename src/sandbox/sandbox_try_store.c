/* SPDX-License-Identifier: Apache-2.0
 * Tries of the file system that the store lies on. */
#include "sandbox/sandbox_try.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/tempfile.h"
#include "sandbox/sandbox_place.h"

enum { BLOCK = 4096, DETAIL = 180, NAME = 40 };

static const uint64_t space_low = 4ULL << 30, inodes_low = 100000;
static const char elsewhere[] = "put the store on a local disk (--store or VARVE_STORE)";

struct trees {
	int lower, upper, work;
};

static void trees_release(struct trees *trees)
{
	fd_close(&trees->lower);
	fd_close(&trees->upper);
	fd_close(&trees->work);
}

static int make_dir(int dirfd, const char *name)
{
	if (mkdirat(dirfd, name, 0755) < 0)
		return -1;
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* lower/gone and lower/dir/file, and what an overlay needs, in the working directory. */
static bool make_trees(struct trees *trees)
{
	CLEANUP(fd_close) int gone = -1;
	CLEANUP(fd_close) int dir = -1;
	CLEANUP(fd_close) int file = -1;

	trees->lower = make_dir(AT_FDCWD, "lower");
	trees->upper = make_dir(AT_FDCWD, "upper");
	trees->work = make_dir(AT_FDCWD, "work");
	if (trees->lower < 0 || trees->upper < 0 || trees->work < 0 || mkdir("root", 0755) < 0)
		return false;
	gone = openat(trees->lower, "gone", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	dir = make_dir(trees->lower, "dir");
	if (gone < 0 || dir < 0)
		return false;
	file = openat(dir, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return file >= 0;
}

static const char *change_and_look(const struct trees *trees)
{
	char value[2] = "";
	struct stat st;
	CLEANUP(fd_close) int dir = -1;

	if (unlink("root/gone") < 0 || unlink("root/dir/file") < 0 || rmdir("root/dir") < 0 ||
	    mkdir("root/dir", 0755) < 0)
		return strerror(errno);
	if (fstatat(trees->upper, "gone", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISCHR(st.st_mode) ||
	    st.st_rdev != makedev(0, 0))
		return "no whiteout appears for a deleted file";
	dir = openat(trees->upper, "dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fgetxattr(dir, "user.overlay.opaque", value, 1) != 1 || value[0] != 'y')
		return "a directory made anew is not marked opaque";
	return NULL;
}

static const char *overlay_here(struct varve_error *err)
{
	CLEANUP(trees_release) struct trees trees = {-1, -1, -1};
	const char *wrong;

	if (!make_trees(&trees))
		return strerror(errno);
	if (sandbox_overlay(&trees.lower, 1, trees.upper, trees.work, "root", err) < 0)
		return err->text;
	wrong = change_and_look(&trees);
	if (sandbox_unmount("root", err) < 0 && !wrong)
		return err->text;
	return wrong;
}

/* A working directory by path: mounts are made in it. */
static const char *enter(int dir)
{
	CLEANUP(free_ptr) char *path = NULL;
	CLEANUP(fd_close) int again = -1;
	int r = sandbox_place(dir, &path);

	if (r < 0)
		return strerror(-r);
	again = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return again < 0 || fchdir(again) < 0 ? strerror(errno) : NULL;
}

int sandbox_try_overlay_inside(void *cookie)
{
	const struct sandbox_try *try = cookie;
	CLEANUP(fd_close) int dir = -1;
	struct varve_error err = {0};
	char name[NAME];
	const char *wrong;

	tempfile_name(name);
	dir = make_dir(try->store, name);
	wrong = dir < 0 ? strerror(errno) : enter(dir);
	if (!wrong)
		wrong = overlay_here(&err);
	if (wrong)
		sandbox_found(try->finding, SANDBOX_MISSING, elsewhere, "%.*s",
			      (int)strcspn(wrong, "\n"), wrong);
	(void)fd_remove_tree(try->store, name);
	return wrong ? 1 : 0;
}

static const struct fs_kind {
	uint32_t magic;
	const char *name;
	const char *wrong; /* NULL: good for a store */
} fs_kinds[] = {
	{0xef53, "ext4", NULL},
	{0x58465342, "xfs", NULL},
	{0x9123683e, "btrfs", NULL},
	{0x01021994, "tmpfs", NULL},
	{0xf2f52010, "f2fs", NULL},
	{0x2fc12fc1, "zfs", NULL},
	{0xca451a4e, "bcachefs", NULL},
	{0x794c7630, "overlayfs", "an overlay cannot lie on another one"},
	{0x6969, "nfs", "a network file system keeps no owners and whiteouts for us"},
	{0xff534d42, "cifs", "a network file system keeps no owners and whiteouts for us"},
	{0x01021997, "9p", "it keeps no owners and whiteouts for us"},
};

static const struct fs_kind *fs_find(int fd, struct fs_kind *unknown)
{
	struct statfs fs = {0};
	size_t i;

	if (fstatfs(fd, &fs) == 0)
		for (i = 0; i < ARRAY_SIZE(fs_kinds); i++)
			if (fs_kinds[i].magic == (uint32_t)fs.f_type)
				return &fs_kinds[i];
	*unknown = (struct fs_kind){(uint32_t)fs.f_type, "unknown", NULL};
	return unknown;
}

static bool has_reflinks(int dirfd, int from)
{
	CLEANUP(tempfile_abort) struct tempfile to = TEMPFILE_INIT;
	static const char block[BLOCK];

	return tempfile_begin(dirfd, 0600, &to, NULL) == 0 &&
	       fd_write_all(from, block, sizeof(block)) == 0 && ioctl(to.fd, FICLONE, from) == 0;
}

void sandbox_try_file_system(const struct sandbox_try *try)
{
	CLEANUP(tempfile_abort) struct tempfile file = TEMPFILE_INIT;
	struct varve_error err = {0};
	struct fs_kind unknown;
	const struct fs_kind *kind = fs_find(try->store, &unknown);
	bool reflinks;

	if (tempfile_begin(try->store, 0600, &file, &err) < 0) {
		sandbox_found(try->finding, SANDBOX_MISSING, elsewhere, "%s: %.*s", kind->name,
			      DETAIL, err.text);
		return;
	}
	if (fsetxattr(file.fd, "user.varve", "y", 1, 0) < 0) {
		sandbox_found(try->finding, SANDBOX_MISSING, elsewhere,
			      "%s (0x%x): no user xattrs: %s", kind->name, kind->magic,
			      strerror(errno));
		return;
	}
	reflinks = has_reflinks(try->store, file.fd);
	if (kind->wrong)
		sandbox_found(try->finding, SANDBOX_DEGRADED, elsewhere, "%s: %s", kind->name,
			      kind->wrong);
	else
		sandbox_found(try->finding, SANDBOX_OK, "", "%s (0x%x), user xattrs, %s",
			      kind->name, kind->magic,
			      reflinks ? "reflinks" : "no reflinks: files are copied");
}

void sandbox_try_space(const struct sandbox_try *try)
{
	struct statvfs fs;
	uint64_t space;

	if (fstatvfs(try->store, &fs) < 0) {
		sandbox_found(try->finding, SANDBOX_DEGRADED, "", "unknown: %s", strerror(errno));
		return;
	}
	space = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (space < space_low || (fs.f_files > 0 && fs.f_favail < inodes_low))
		sandbox_found(try->finding, SANDBOX_DEGRADED, "varve gc, or a store elsewhere",
			      "%.1f GiB and %llu inodes; an image easily takes more",
			      (double)space / (1 << 30), (unsigned long long)fs.f_favail);
	else
		sandbox_found(try->finding, SANDBOX_OK, "", "%.1f GiB", (double)space / (1 << 30));
}
