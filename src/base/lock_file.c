/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
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
