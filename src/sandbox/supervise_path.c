/* SPDX-License-Identifier: Apache-2.0
 * Finding what a path means to another task. Its root directory becomes ours for as long as nobody
 * with another one calls: then all symlinks lead where they lead it. */
#include "sandbox/supervise_call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U /* Linux 5.8 */
#endif

static int open_of_task(const struct call *c, const char *what)
{
	char path[CALL_FD_PATH + NAME_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%d/%s", c->pid, what);
	fd = openat(c->s->proc, path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int enter_root(const struct call *c)
{
	struct supervisor *s = c->s;
	CLEANUP(fd_close) int root = open_of_task(c, "root");
	struct statx stx;

	if (root < 0)
		return root;
	if (statx(root, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &stx) < 0)
		return -errno;
	if (s->root_inode == stx.stx_ino && s->root_mount == stx.stx_mnt_id)
		return 0;
	if (fchdir(root) < 0 || chroot(".") < 0 || fchdir(s->proc) < 0)
		return -errno;
	s->root_inode = stx.stx_ino;
	s->root_mount = stx.stx_mnt_id;
	return 0;
}

int call_open_fd(const struct call *c, int fd)
{
	char text[CALL_FD_PATH];

	(void)snprintf(text, sizeof(text), "fd/%d", fd);
	return open_of_task(c, text);
}

static int open_directory(const struct call *c, int dirfd)
{
	return dirfd == AT_FDCWD ? open_of_task(c, "cwd") : call_open_fd(c, dirfd);
}

/* "self" would be ourselves, if anybody: the sandbox's procfs does not know us. */
static const char *after_self(const char *path)
{
	static const char *const names[] = {"/proc/self/", "/proc/thread-self/"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_starts(path, names[i]))
			return path + strlen(names[i]);
	return NULL;
}

static int open_path(const struct call *c, int dirfd, const char *path, int flags)
{
	CLEANUP(fd_close) int dir = -1;
	int fd, r = enter_root(c);

	if (r < 0)
		return r;
	if (*path != '/') {
		dir = open_directory(c, dirfd);
		if (dir < 0)
			return dir;
	}
	fd = openat(dir, path, O_PATH | O_CLOEXEC | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0));
	return fd < 0 ? -errno : fd;
}

int call_open(const struct call *c, int dirfd, uint64_t path_address, int flags)
{
	char path[PATH_MAX];
	const char *own;
	int r = 0;

	path[0] = '\0';
	if (path_address != 0 || !(flags & AT_EMPTY_PATH))
		r = call_read_path(c, path_address, path);
	if (r < 0)
		return r;
	if (path[0] == '\0')
		return flags & AT_EMPTY_PATH ? open_directory(c, dirfd) : -ENOENT;
	own = after_self(path);
	if (own)
		return flags & AT_SYMLINK_NOFOLLOW ? -EXDEV : open_of_task(c, own);
	if (str_starts(path, "/proc/") || str_starts(path, "/sys/"))
		return -EXDEV;
	return open_path(c, dirfd, path, flags);
}

void call_place_release(struct call_place *place)
{
	fd_close(&place->dir);
}

/* Slashes at the end are of no account where a directory is made, and an error elsewhere, which the
 * kernel tells. */
int call_open_place(const struct call *c, int dirfd, uint64_t path_address, struct call_place *ret)
{
	char path[PATH_MAX];
	size_t len;
	char *name;
	int dir, r = call_read_path(c, path_address, path);

	if (r < 0)
		return r;
	if (str_starts(path, "/proc/") || str_starts(path, "/sys/"))
		return -EXDEV;
	for (len = strlen(path); len > 1 && path[len - 1] == '/'; len--)
		path[len - 1] = '\0';
	name = strrchr(path, '/');
	name = name ? name + 1 : path;
	if (*name == '\0' || strlen(name) > NAME_MAX || str_equal(name, ".") ||
	    str_equal(name, ".."))
		return -EXDEV;
	(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	*name = '\0';
	dir = open_path(c, dirfd, *path ? path : ".", 0);
	if (dir < 0)
		return dir;
	ret->dir = dir;
	return 0;
}
