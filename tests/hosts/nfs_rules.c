/* SPDX-License-Identifier: Apache-2.0
 * LD_PRELOAD=libnfs_rules.so: flock(2), renameat2(2), open(2) with O_TMPFILE and reflinks as an
 * NFS client has them, for tests on hosts whose kernel has no NFS. (fs/nfs/file.c and
 * fs/nfs/nfs4proc.c: an exclusive lock wants a descriptor for writing, a shared one a descriptor
 * for reading; no flags of rename; no O_TMPFILE.) Below VARVE_NFS only. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_there(int fd)
{
	const char *top = getenv("VARVE_NFS");
	char link[32], path[4096];
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (!top || len < 0)
		return false;
	path[len] = '\0';
	return strncmp(path, top, strlen(top)) == 0;
}

static int refuse(int error)
{
	errno = error;
	return -1;
}

int flock(int fd, int operation)
{
	int mode = fcntl(fd, F_GETFL) & O_ACCMODE;

	if (is_there(fd) && (((operation & LOCK_EX) && mode == O_RDONLY) ||
			     ((operation & LOCK_SH) && mode == O_WRONLY)))
		return refuse(EBADF);
	return (int)syscall(SYS_flock, fd, operation);
}

int renameat2(int from, const char *name, int to, const char *to_name, unsigned flags)
{
	if (flags && is_there(to))
		return refuse(EINVAL);
	return (int)syscall(SYS_renameat2, from, name, to, to_name, flags);
}

int openat(int dirfd, const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	if ((flags & O_TMPFILE) == O_TMPFILE && is_there(dirfd))
		return refuse(EOPNOTSUPP);
	return (int)syscall(SYS_openat, dirfd, path, flags, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (request == FICLONE && is_there(fd))
		return refuse(EOPNOTSUPP);
	return (int)syscall(SYS_ioctl, fd, request, argument);
}
