/* SPDX-License-Identifier: Apache-2.0
 * Finding what a path means to another task. Its root directory becomes ours for as long as nobody
 * with another one calls: then absolute paths and all symlinks lead where they lead it. Relative
 * ones go through the task's own links in the procfs that is our working directory:
 * "PID/cwd/PATH", "PID/fd/N/PATH". */
#include "sandbox/supervise_call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U /* Linux 5.8 */
#endif

/* bwrap changes its root and then starts the command. From there on all tasks share that one,
 * bwrap's own first process excepted, until one of them looks for another. */
static bool root_is_known(const struct call *c)
{
	const struct supervisor *s = c->s;

	return s->root_inode != 0 && s->pivots > 0 && !s->roots_differ && c->pid != s->first;
}

static int enter_root(const struct call *c)
{
	struct supervisor *s = c->s;
	CLEANUP(fd_close) int root = -1;
	char path[CALL_FD_PATH];
	struct statx stx;

	if (root_is_known(c))
		return 0;
	(void)snprintf(path, sizeof(path), "%d/root", c->pid);
	root = open(path, O_PATH | O_CLOEXEC);
	if (root < 0 || statx(root, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &stx) < 0)
		return -errno;
	if (s->root_inode == stx.stx_ino && s->root_mount == stx.stx_mnt_id)
		return 0;
	if (fchdir(root) < 0 || chroot(".") < 0 || fchdir(s->proc) < 0)
		return -errno;
	s->root_inode = stx.stx_ino;
	s->root_mount = stx.stx_mnt_id;
	return 0;
}

long handle_pivot_root(struct call *c)
{
	c->s->pivots++;
	c->s->root_inode = 0;
	return SUPERVISE_CONTINUE;
}

/* What bwrap does on its way to its root says nothing. */
static long other_root(struct call *c)
{
	if (c->s->pivots > 0)
		c->s->roots_differ = true;
	return SUPERVISE_CONTINUE;
}

long handle_chroot(struct call *c)
{
	return other_root(c);
}

long handle_setns(struct call *c)
{
	return other_root(c);
}

long handle_unshare(struct call *c)
{
	return other_root(c);
}

long handle_clone(struct call *c)
{
	return other_root(c);
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

static int join(struct call_path *ret, int len)
{
	return len < 0 || (size_t)len >= sizeof(ret->text) ? -ENAMETOOLONG : 0;
}

static int relative_path(const struct call *c, int dirfd, const char *path, struct call_path *ret)
{
	const char *slash = *path ? "/" : "";

	if (dirfd == AT_FDCWD)
		return join(ret, snprintf(ret->text, sizeof(ret->text), "%d/cwd%s%s", c->pid, slash,
					  path));
	return join(ret, snprintf(ret->text, sizeof(ret->text), "%d/fd/%d%s%s", c->pid, dirfd,
				  slash, path));
}

int call_path(const struct call *c, int dirfd, uint64_t address, int flags, struct call_path *ret)
{
	char path[PATH_MAX];
	const char *own;
	int r = 0;

	path[0] = '\0';
	if (address != 0 || !(flags & AT_EMPTY_PATH))
		r = call_read_path(c, address, path);
	if (r < 0)
		return r;
	ret->follow = !(flags & AT_SYMLINK_NOFOLLOW);
	if (path[0] == '\0') {
		ret->follow = true; /* the link in the procfs */
		return flags & AT_EMPTY_PATH ? relative_path(c, dirfd, path, ret) : -ENOENT;
	}
	own = after_self(path);
	if (own)
		return ret->follow ? join(ret, snprintf(ret->text, sizeof(ret->text), "%d/%s",
							c->pid, own))
				   : -EXDEV;
	if (str_starts(path, "/proc/") || str_starts(path, "/sys/"))
		return -EXDEV;
	r = enter_root(c);
	if (r < 0)
		return r;
	if (*path != '/')
		return relative_path(c, dirfd, path, ret);
	return join(ret, snprintf(ret->text, sizeof(ret->text), "%s", path));
}

int call_path_fd(const struct call *c, int fd, struct call_path *ret)
{
	ret->follow = true;
	return relative_path(c, fd, "", ret);
}

int call_open(const struct call_path *path)
{
	int fd = open(path->text, O_PATH | O_CLOEXEC | (path->follow ? 0 : O_NOFOLLOW));

	return fd < 0 ? -errno : fd;
}

void call_place_release(struct call_place *place)
{
	fd_close(&place->dir);
}

/* Slashes at the end are of no account where a directory is made, and an error elsewhere, which the
 * kernel tells. */
int call_find_place(const struct call *c, int dirfd, uint64_t address, struct call_place *ret)
{
	size_t len;
	char *name;
	int r = call_path(c, dirfd, address, 0, &ret->path);

	if (r < 0)
		return r;
	for (len = strlen(ret->path.text); len > 1 && ret->path.text[len - 1] == '/'; len--)
		ret->path.text[len - 1] = '\0';
	name = strrchr(ret->path.text, '/');
	if (!name || name[1] == '\0' || strlen(name + 1) > NAME_MAX || str_equal(name + 1, ".") ||
	    str_equal(name + 1, ".."))
		return -EXDEV;
	(void)snprintf(ret->name, sizeof(ret->name), "%s", name + 1);
	name[name == ret->path.text] = '\0'; /* "/name" is in "/" */
	return 0;
}

int call_open_place(struct call_place *place)
{
	place->dir = call_open(&place->path);
	return place->dir < 0 ? place->dir : 0;
}
