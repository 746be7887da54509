/* SPDX-License-Identifier: Apache-2.0
 * Overlay mounts. The options of mount(2) are one page of text, and a step can read them in
 * /proc/mounts; so the layers go by short names that are the same on every host: symlinks l0, l1,
 * ... in a tmpfs (the holder) that is the working directory for the moment of the mount. */
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
#include "sandbox/sandbox_place.h"

enum { LINK_NAME = 32 };

/* Only mounts of our namespace can take part in an overlay, so the holder needs a place for a
 * moment: it covers the upper or the topmost lower directory, which is open by then. */
struct holder {
	int fd; /* root of the tmpfs */
	int covered; /* the directory below it */
	int like; /* the caller's descriptor of that directory */
	char *path; /* where it is mounted; NULL: it is not */
};

static void holder_release(struct holder *holder)
{
	if (holder->path)
		(void)umount2(holder->path, MNT_DETACH);
	free(holder->path);
	fd_close(&holder->fd);
	fd_close(&holder->covered);
}

static int holder_open(int like, struct holder *holder)
{
	CLEANUP(free_ptr) char *path = NULL;
	int r = sandbox_place(like, &path);

	if (r < 0)
		return r;
	holder->like = like;
	holder->covered = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (holder->covered < 0 ||
	    mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=4m") < 0)
		return -errno;
	holder->path = steal_ptr(&path);
	holder->fd = open(holder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return holder->fd < 0 ? -errno : 0;
}

static int name_fd(const struct holder *holder, int fd, const char *name)
{
	CLEANUP(free_ptr) char *path = NULL;
	int r = 0;

	if (fd == holder->like)
		path = xasprintf("/proc/self/fd/%d", holder->covered);
	else
		r = sandbox_place(fd, &path);
	if (r < 0)
		return r;
	return symlinkat(path, holder->fd, name) < 0 ? -errno : 0;
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

static int drop_repeated(const int *lowers, size_t count, int *ret_unique, size_t *ret_count)
{
	CLEANUP(free_ptr) struct stat *seen = xcalloc(count + 1, sizeof(*seen));
	size_t i, used = 0;

	for (i = 0; i < count; i++) {
		if (fstat(lowers[i], &seen[used]) < 0)
			return -errno;
		if (!is_repeated(seen, used))
			ret_unique[used++] = lowers[i];
	}
	*ret_count = used;
	return 0;
}

static int name_lowers(const struct holder *holder, const int *lowers, size_t count,
		       struct buf *options)
{
	char name[LINK_NAME];
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++) {
		(void)snprintf(name, sizeof(name), "l%zu", i);
		r = name_fd(holder, lowers[i], name);
		buf_addf(options, "%s%s", i == 0 ? "lowerdir=" : ":", name);
	}
	return r;
}

/* Nothing below: overlayfs wants a lower directory nevertheless. */
static int name_nothing(const struct holder *holder, struct buf *options)
{
	if (mkdirat(holder->fd, "l0", 0755) < 0)
		return -errno;
	buf_addstr(options, "lowerdir=l0");
	return 0;
}

static int name_all(const struct holder *holder, const int *lowers, size_t count,
		    const int upper_work[2], struct buf *options)
{
	int r = count == 0 ? name_nothing(holder, options)
			   : name_lowers(holder, lowers, count, options);

	/* Without userxattr opaque directories break silently in a user namespace; as root it makes
	 * upper directories look the same. */
	buf_addstr(options, ",userxattr");
	if (r < 0 || upper_work[0] < 0)
		return r;
	r = name_fd(holder, upper_work[0], "upper");
	if (r == 0)
		r = name_fd(holder, upper_work[1], "work");
	/* No fsync in a step: an upper directory that saw a crash is thrown away. */
	buf_addstr(options, ",upperdir=upper,workdir=work,volatile");
	return r;
}

static int mount_in(const struct holder *holder, int target, const char *options)
{
	CLEANUP(fd_close) int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char place[LINK_NAME];
	int r = 0;

	if (before < 0 || fchdir(holder->fd) < 0)
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
	CLEANUP(holder_release) struct holder holder = {-1, -1, -1, NULL};
	CLEANUP(fd_close) int place = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (place < 0)
		return varve_error_set(err, -errno, "open %s", target);
	r = holder_open(upper_work[0] >= 0 ? upper_work[0] : lowers[0], &holder);
	if (r == 0)
		r = name_all(&holder, lowers, count, upper_work, &options);
	if (r < 0)
		return varve_error_set(err, r, "name the trees of an overlay on %s", target);
	r = mount_in(&holder, place, buf_text(&options));
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
	CLEANUP(free_ptr) char *source = NULL;
	unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;
	int r = sandbox_place(lower, &source);

	if (r < 0)
		return varve_error_set(err, r, "find the tree for %s", target);
	if (mount(source, target, NULL, MS_BIND, NULL) < 0)
		return varve_error_set(err, -errno, "bind a tree on %s", target);
	if (mount(NULL, target, NULL, flags | locked_flags(target), NULL) < 0) {
		r = varve_error_set(err, -errno, "make %s read-only", target);
		(void)umount2(target, MNT_DETACH);
		return r;
	}
	return 0;
}

int sandbox_overlay(const int *lowers, size_t count, int upper, int work, const char *target,
		    struct varve_error *err)
{
	int unique[SANDBOX_LOWERS_MAX] = {0}, r;

	if (count > SANDBOX_LOWERS_MAX)
		return varve_error_set(err, -VARVE_E_LIMIT,
				       "%zu layers below a step; overlayfs takes %d", count,
				       SANDBOX_LOWERS_MAX);
	r = drop_repeated(lowers, count, unique, &count);
	if (r < 0)
		return varve_error_set(err, r, "look at the trees for %s", target);
	if (upper >= 0 || count > 1)
		return mount_overlay(unique, count, (const int[2]){upper, work}, target, err);
	if (count == 1)
		return bind_read_only(unique[0], target, err);
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
