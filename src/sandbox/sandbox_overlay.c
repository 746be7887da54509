/* SPDX-License-Identifier: Apache-2.0
 * Overlay mounts. The options of mount(2) are one page of text, and a step can read them in
 * /proc/mounts; so the layers go by short names that are the same on every host: symlinks l0, l1,
 * ... in a tmpfs that is the working directory for the moment of the mount and has no name itself.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

enum { LINK_NAME = 32, LOWERS_MAX = 500 }; /* the limit is the kernel's */

/* A tmpfs without a place: it lives as long as its descriptor or a mount that uses it. */
static int open_holder(const char *target)
{
	CLEANUP(fd_close) int fd = -1;
	int r = 0;

	if (mount("none", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=4m") < 0)
		return -errno;
	fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		r = -errno;
	if (umount2(target, MNT_DETACH) < 0 && r == 0)
		r = -errno;
	return r < 0 ? r : steal_fd(&fd);
}

static int name_fd(int holder, int fd, const char *name)
{
	char link[LINK_NAME];

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return symlinkat(link, holder, name) < 0 ? -errno : 0;
}

/* The kernel refuses a directory that appears twice; the lower one of them would not be seen. */
static bool is_repeated(const struct stat *seen, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (seen[i].st_dev == seen[count].st_dev && seen[i].st_ino == seen[count].st_ino)
			return true;
	return false;
}

static int name_lowers(int holder, const int *lowers, size_t count, struct buf *options)
{
	CLEANUP(free_ptr) struct stat *seen = xcalloc(count + 1, sizeof(*seen));
	char name[LINK_NAME];
	size_t i, used = 0;
	int r;

	for (i = 0; i < count; i++) {
		if (fstat(lowers[i], &seen[used]) < 0)
			return -errno;
		if (is_repeated(seen, used))
			continue;
		(void)snprintf(name, sizeof(name), "l%zu", used);
		r = name_fd(holder, lowers[i], name);
		if (r < 0)
			return r;
		buf_addf(options, "%s%s", used == 0 ? "lowerdir=" : ":", name);
		used++;
	}
	return 0;
}

/* Nothing below: overlayfs wants a lower directory nevertheless. */
static int name_nothing(int holder, struct buf *options)
{
	if (mkdirat(holder, "l0", 0755) < 0)
		return -errno;
	buf_addstr(options, "lowerdir=l0");
	return 0;
}

static int name_all(int holder, const int *lowers, size_t count, int upper, int work,
		    struct buf *options)
{
	int r = count == 0 ? name_nothing(holder, options)
			   : name_lowers(holder, lowers, count, options);

	/* Without userxattr opaque directories break silently in a user namespace; as root it makes
	 * upper directories look the same. */
	buf_addstr(options, ",userxattr");
	if (r < 0 || upper < 0)
		return r;
	r = name_fd(holder, upper, "upper");
	if (r == 0)
		r = name_fd(holder, work, "work");
	/* No fsync in a step: an upper directory that saw a crash is thrown away. */
	buf_addstr(options, ",upperdir=upper,workdir=work,volatile");
	return r;
}

static int mount_in(int holder, int target, const char *options)
{
	CLEANUP(fd_close) int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char place[LINK_NAME];
	int r = 0;

	if (before < 0 || fchdir(holder) < 0)
		return -errno;
	(void)snprintf(place, sizeof(place), "/proc/self/fd/%d", target);
	if (mount("overlay", place, "overlay", MS_NOATIME, options) < 0)
		r = -errno;
	if (fchdir(before) < 0 && r == 0)
		r = -errno;
	return r;
}

static int explain(int r, size_t count, const char *target, struct varve_error *err)
{
	(void)varve_error_set(err, r, "mount an overlay of %zu trees on %s", count, target);
	if (r == -EINVAL || r == -EPERM || r == -EOPNOTSUPP)
		varve_error_hint(err,
				 "the store must lie on a file system with user xattrs that is "
				 "no overlay itself, the kernel must be 5.11 or later: see "
				 "varve doctor");
	return r;
}

static int mount_overlay(const int *lowers, size_t count, const int upper_work[2],
			 const char *target, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf options = BUF_INIT;
	CLEANUP(fd_close) int holder = -1;
	CLEANUP(fd_close) int place = -1;
	int r;

	place = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place < 0)
		return varve_error_set(err, -errno, "open %s", target);
	holder = open_holder(target);
	if (holder < 0)
		return varve_error_set(err, holder, "mount a tmpfs");
	r = name_all(holder, lowers, count, upper_work[0], upper_work[1], &options);
	if (r < 0)
		return varve_error_set(err, r, "name the trees of an overlay");
	r = mount_in(holder, place, buf_text(&options));
	return r < 0 ? explain(r, count, target, err) : 0;
}

/* Flags that a mount from outside a user namespace keeps are locked: a remount must repeat them. */
static unsigned long locked_flags(const char *path)
{
	static const unsigned long table[][2] = {
		{ST_NOSUID, MS_NOSUID},         {ST_NODEV, MS_NODEV},
		{ST_NOEXEC, MS_NOEXEC},         {ST_NOATIME, MS_NOATIME},
		{ST_NODIRATIME, MS_NODIRATIME}, {ST_RELATIME, MS_RELATIME},
	};
	unsigned long flags = 0;
	struct statvfs fs;
	size_t i;

	if (statvfs(path, &fs) < 0)
		return 0;
	for (i = 0; i < ARRAY_SIZE(table); i++)
		if (fs.f_flag & table[i][0])
			flags |= table[i][1];
	return flags;
}

static int bind_read_only(int lower, const char *target, struct varve_error *err)
{
	char source[LINK_NAME];
	unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;

	(void)snprintf(source, sizeof(source), "/proc/self/fd/%d", lower);
	if (mount(source, target, NULL, MS_BIND, NULL) < 0)
		return varve_error_set(err, -errno, "bind a tree on %s", target);
	if (mount(NULL, target, NULL, flags | locked_flags(target), NULL) < 0) {
		int r = varve_error_set(err, -errno, "make %s read-only", target);

		(void)umount2(target, MNT_DETACH);
		return r;
	}
	return 0;
}

int sandbox_overlay(const int *lowers, size_t count, int upper, int work, const char *target,
		    struct varve_error *err)
{
	if (count > LOWERS_MAX)
		return varve_error_set(err, -VARVE_E_LIMIT,
				       "%zu layers below a step; overlayfs takes %d", count,
				       LOWERS_MAX);
	if (upper >= 0 || count > 1)
		return mount_overlay(lowers, count, (const int[2]){upper, work}, target, err);
	if (count == 1)
		return bind_read_only(lowers[0], target, err);
	if (mount("none", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return varve_error_set(err, -errno, "mount a tmpfs on %s", target);
	return 0;
}

int sandbox_unmount(const char *target, struct varve_error *err)
{
	if (umount2(target, UMOUNT_NOFOLLOW) == 0)
		return 0;
	/* Somebody of ours still has a descriptor in it: then it goes with that descriptor. */
	if (errno == EBUSY && umount2(target, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
		return 0;
	return varve_error_set(err, -errno, "unmount %s", target);
}
