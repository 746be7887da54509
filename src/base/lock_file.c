/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fd.h"

int lock_file_open(int dirfd, const char *name, enum lock_kind kind, bool wait,
		   struct varve_error *err)
{
	int operation = (kind == LOCK_SHARED ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB);
	CLEANUP(fd_close) int fd = -1;

	fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return varve_error_set(err, -errno, "open lock %s", name);
	if (flock(fd, operation) < 0) {
		if (errno == EWOULDBLOCK)
			return -EWOULDBLOCK;
		return varve_error_set(err, -errno, "lock %s", name);
	}
	return steal_fd(&fd);
}

bool lock_file_is_named(int dirfd, const char *name, int fd)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && fstatat(dirfd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static const char lock_name[] = ".varve-lock";

static int lock_alone(int fd)
{
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int lock_directory(int dirfd, int *ret_fd)
{
	int r = lock_alone(dirfd);

	*ret_fd = -1;
	while (r == -EBADF) {
		CLEANUP(fd_close)
		int fd = openat(dirfd, lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		int locked = fd < 0 ? -errno : lock_alone(fd);

		if (locked < 0)
			return locked;
		if (lock_file_is_named(dirfd, lock_name, fd)) {
			*ret_fd = steal_fd(&fd);
			return 0;
		}
	}
	return r;
}

void lock_directory_drop(int dirfd, int *fd)
{
	if (*fd >= 0)
		(void)unlinkat(dirfd, lock_name, 0);
	fd_close(fd);
}
