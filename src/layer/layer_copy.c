/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fd.h"
#include "layer/layer_walk.h"

static int copy_xattrs(const struct layer_copy *copy, int from, int to)
{
	CLEANUP(layer_xattrs_release) struct layer_xattrs xattrs = LAYER_XATTRS_INIT;
	int r = layer_xattrs_read(from, copy->from_form, &xattrs);

	return r < 0 ? r : layer_xattrs_write(to, copy->to_form, &xattrs);
}

/* Owner first: chown clears set-id bits and capabilities. An ACL alters the mode: after it. */
static int copy_attributes(const struct layer_copy *copy, const struct stat *st, int from, int to)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};
	int r = owner_write(copy->owners, copy->to, copy->to_name, st->st_uid, st->st_gid);

	if (r == 0 && fchmod(to, st->st_mode & 07777) < 0)
		r = -errno;
	if (r == 0)
		r = copy_xattrs(copy, from, to);
	if (r == 0 && futimens(to, times) < 0)
		r = -errno;
	return r;
}

static int copy_regular(const struct layer_copy *copy, const struct stat *st)
{
	CLEANUP(fd_close)
	int in = openat(copy->from, copy->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	CLEANUP(fd_close) int out = -1;
	int r;

	if (in < 0)
		return -errno;
	out = openat(copy->to, copy->to_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     0600);
	if (out < 0)
		return -errno;
	r = fd_copy(in, out, (uint64_t)st->st_size);
	return r < 0 ? r : copy_attributes(copy, st, in, out);
}

static int copy_symlink(const struct layer_copy *copy)
{
	char target[LAYER_PATH_MAX];
	ssize_t len = readlinkat(copy->from, copy->name, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	return symlinkat(target, copy->to, copy->to_name) < 0 ? -errno : 0;
}

static int make_other(const struct layer_copy *copy, const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFLNK:
		return copy_symlink(copy);
	case S_IFIFO:
		return mkfifoat(copy->to, copy->to_name, 0600) < 0 ? -errno : 0;
	default:
		return owner_make_device(copy->to, copy->to_name, st->st_mode, st->st_rdev);
	}
}

static int copy_other(const struct layer_copy *copy, const struct stat *st)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};
	int r = make_other(copy, st);

	if (r == 0)
		r = owner_write(copy->owners, copy->to, copy->to_name, st->st_uid, st->st_gid);
	if (r == 0 && !S_ISLNK(st->st_mode) &&
	    fchmodat(copy->to, copy->to_name, st->st_mode & 07777, 0) < 0)
		r = -errno;
	if (r == 0 && utimensat(copy->to, copy->to_name, times, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	return r;
}

int layer_copy_file(const struct layer_copy *copy, const struct stat *st)
{
	if (S_ISSOCK(st->st_mode))
		return 0;
	return S_ISREG(st->st_mode) ? copy_regular(copy, st) : copy_other(copy, st);
}

int layer_copy_directory(const struct layer_copy *copy, const struct stat *st)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	CLEANUP(fd_close) int in = openat(copy->from, copy->name, flags);
	CLEANUP(fd_close) int out = in < 0 ? -1 : openat(copy->to, copy->to_name, flags);

	return out < 0 ? -errno : copy_attributes(copy, st, in, out);
}
