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
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/tempfile.h"
#include "sandbox/sandbox_detect.h"
#include "sandbox/sandbox_place.h"

enum { BLOCK = 4096, NAME = 40 };

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

void sandbox_try_overlay(const struct sandbox_try *try)
{
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
		(void)snprintf(try->tried->overlay_refused, SANDBOX_WORDS, "%.*s",
			       (int)strcspn(wrong, "\n"), wrong);
	try->tried->overlay = !wrong;
	(void)fd_remove_tree(try->store, name);
}

int sandbox_try_chown(int store)
{
	CLEANUP(tempfile_abort) struct tempfile file = TEMPFILE_INIT;
	int r = tempfile_begin(store, 0600, &file, NULL);

	if (r < 0)
		return -r;
	/* A server of files does not know of our ranges: the map alone would say too little. */
	return fchown(file.fd, SANDBOX_IDS - 1, SANDBOX_IDS - 1) < 0 ? errno : 0;
}

static int try_whiteout(int store)
{
	char name[NAME];

	tempfile_name(name);
	if (mknodat(store, name, S_IFCHR | 0600, makedev(0, 0)) < 0)
		return errno;
	return unlinkat(store, name, 0) < 0 ? errno : 0;
}

static bool has_reflinks(int dirfd, int from)
{
	CLEANUP(tempfile_abort) struct tempfile to = TEMPFILE_INIT;
	static const char block[BLOCK];

	return tempfile_begin(dirfd, 0600, &to, NULL) == 0 &&
	       fd_write_all(from, block, sizeof(block)) == 0 && ioctl(to.fd, FICLONE, from) == 0;
}

void sandbox_try_files(const struct sandbox_try *try)
{
	CLEANUP(tempfile_abort) struct tempfile file = TEMPFILE_INIT;
	struct sandbox_tried *tried = try->tried;
	struct statfs fs = {0};

	(void)fstatfs(try->store, &fs);
	tried->fs_type = (uint32_t)fs.f_type;
	tried->files = -tempfile_begin(try->store, 0600, &file, NULL);
	if (tried->files != 0)
		return;
	tried->xattrs = fsetxattr(file.fd, "user.varve", "y", 1, 0) < 0 ? errno : 0;
	tried->whiteouts = try_whiteout(try->store);
	tried->reflinks = has_reflinks(try->store, file.fd);
}
