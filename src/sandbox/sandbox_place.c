/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_place.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"

enum { LINK_NAME = 32 };

int sandbox_place(int fd, char **ret)
{
	CLEANUP(free_ptr) char *path = xcalloc(1, PATH_MAX);
	char link[LINK_NAME];
	struct stat ours, there;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, PATH_MAX - 1) < 0 || fstat(fd, &ours) < 0)
		return -errno;
	if (stat(path, &there) < 0)
		return -errno;
	if (ours.st_dev != there.st_dev || ours.st_ino != there.st_ino)
		return -ESTALE;
	*ret = steal_ptr(&path);
	return 0;
}
