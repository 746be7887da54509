/* SPDX-License-Identifier: Apache-2.0
 * A symlink or fifo that a chown has just brought up from a layer below. Overlayfs goes on telling
 * its number of below, while the upper directory has another one, and the time of birth alone is no
 * identity: so the record of its owner (base/owner_links.h) would not be found again. An inode made
 * in the upper directory is the same in both: one like it takes its place. */
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
#include "base/tempfile.h"

enum { TEMPORARY = 40 };

/* Where the file is: its directory, opened, and in *ret_name its name, which lies in path. */
static int find(int fd, char path[PATH_MAX], const char **ret_name)
{
	char text[CALL_FD_PATH];
	ssize_t len = readlink(call_fd_path(fd, text), path, PATH_MAX - 1);
	struct stat is, there;
	char *slash;
	int dir;

	if (len <= 0)
		return -errno;
	path[len] = '\0';
	slash = strrchr(path, '/');
	if (!slash || lstat(path, &there) < 0 || fstat(fd, &is) < 0 || is.st_ino != there.st_ino ||
	    is.st_dev != there.st_dev)
		return -ESTALE; /* it has no name any more, or is not below our root */
	*slash = '\0';
	*ret_name = slash + 1;
	dir = open(slash == path ? "/" : path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -errno : dir;
}

static int make_like(int dir, const char *temporary, int fd, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	char target[PATH_MAX];
	ssize_t len;
	int r;

	if (S_ISLNK(st->st_mode)) {
		len = readlinkat(fd, "", target, sizeof(target) - 1);
		if (len < 0)
			return -errno;
		target[len] = '\0';
		r = symlinkat(target, dir, temporary);
	} else {
		r = mkfifoat(dir, temporary, 0600);
		if (r == 0)
			r = fchmodat(dir, temporary, st->st_mode & 07777, 0);
	}
	if (r == 0)
		r = utimensat(dir, temporary, times, AT_SYMLINK_NOFOLLOW);
	return r < 0 ? -errno : 0;
}

int call_renew(int fd)
{
	char path[PATH_MAX], temporary[TEMPORARY];
	CLEANUP(fd_close) int dir = -1;
	const char *name = "";
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || !(S_ISLNK(st.st_mode) || S_ISFIFO(st.st_mode)))
		return -ESTALE;
	dir = find(fd, path, &name);
	if (dir < 0)
		return dir;
	tempfile_name(temporary);
	r = make_like(dir, temporary, fd, &st);
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir, temporary, 0);
		return r;
	}
	r = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return r < 0 ? -errno : r;
}
