/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/supervise_call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

enum { PAGE = 4096, STATUS_TEXT = 4096, UMASK_DEFAULT = 022 };

int call_read(const struct call *c, uint64_t address, void *data, size_t size)
{
	const struct iovec here = {data, size}, there = {(void *)(uintptr_t)address, size};
	ssize_t n = process_vm_readv(c->pid, &here, 1, &there, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EFAULT;
}

int call_write(const struct call *c, uint64_t address, const void *data, size_t size)
{
	const struct iovec here = {(void *)(uintptr_t)data, size},
			   there = {(void *)(uintptr_t)address, size};
	ssize_t n = process_vm_writev(c->pid, &here, 1, &there, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EFAULT;
}

/* To the end of the page only: the next one may not be there. */
int call_read_path(const struct call *c, uint64_t address, char path[PATH_MAX])
{
	size_t have = 0;

	while (have < PATH_MAX) {
		size_t part = PAGE - (size_t)((address + have) % PAGE);
		int r;

		if (part > PATH_MAX - have)
			part = PATH_MAX - have;
		r = call_read(c, address + have, path + have, part);
		if (r < 0)
			return r;
		if (memchr(path + have, '\0', part))
			return 0;
		have += part;
	}
	return -ENAMETOOLONG;
}

bool call_is_alive(const struct call *c)
{
	uint64_t id = c->id;

	return ioctl(c->s->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

uint64_t call_program(const struct call *c)
{
	char path[CALL_FD_PATH];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%d/exe", c->pid);
	return fstatat(c->s->proc, path, &st, 0) < 0 ? 0 : st.st_ino;
}

bool call_is_privileged(const struct call *c)
{
	const struct ids *ids = ids_of(&c->s->ids, c->pid);

	return ids->of[IDS_USER].effective == 0 ||
	       (ids->keeper != 0 && ids->keeper == call_program(c));
}

mode_t call_umask(const struct call *c)
{
	char path[CALL_FD_PATH], text[STATUS_TEXT];
	CLEANUP(fd_close) int fd = -1;
	const char *line;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%d/status", c->pid);
	fd = openat(c->s->proc, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : fd_read_full(fd, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	line = strstr(text, "\nUmask:");
	return line ? (mode_t)strtoul(line + strlen("\nUmask:"), NULL, 8) : UMASK_DEFAULT;
}
