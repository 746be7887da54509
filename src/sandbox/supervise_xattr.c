/* SPDX-License-Identifier: Apache-2.0
 * listxattr(2) and its kin: the record of an owner is ours, no attribute of the file. */
#include "sandbox/supervise_call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

/* Returns the length without the record's name. */
static size_t drop_record(char *names, size_t len)
{
	size_t at = 0, kept = 0;

	while (at < len) {
		size_t size = strlen(names + at) + 1;

		if (!str_equal(names + at, OWNER_XATTR)) {
			memmove(names + kept, names + at, size);
			kept += size;
		}
		at += size;
	}
	return kept;
}

static int list(struct call *c, int fd)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT;
	const uint64_t address = c->args[1], size = c->args[2];
	struct owner_record record;
	char path[CALL_FD_PATH];
	ssize_t n;
	int r;

	if (call_record(c->s, fd, &record) <= 0)
		return SUPERVISE_CONTINUE;
	buf_reserve(&names, XATTR_LIST_MAX);
	n = listxattr(call_fd_path(fd, path), names.data, XATTR_LIST_MAX);
	if (n < 0)
		return SUPERVISE_CONTINUE;
	n = (ssize_t)drop_record(names.data, (size_t)n);
	if (size == 0)
		return (int)n;
	if ((uint64_t)n > size)
		return -ERANGE;
	r = call_write(c, address, names.data, (size_t)n);
	return r < 0 ? r : (int)n;
}

static int list_path(struct call *c, const struct call_path *path)
{
	CLEANUP(fd_close) int fd = -1;

	if (call_may_have_record(c->s, path) > 0)
		fd = call_open(path);
	return fd < 0 ? SUPERVISE_CONTINUE : list(c, fd);
}

static int list_at(struct call *c, int flags)
{
	struct call_path path;

	if (call_path(c, AT_FDCWD, c->args[0], flags, &path) < 0)
		return SUPERVISE_CONTINUE;
	return list_path(c, &path);
}

long handle_listxattr(struct call *c)
{
	return list_at(c, 0);
}

long handle_llistxattr(struct call *c)
{
	return list_at(c, AT_SYMLINK_NOFOLLOW);
}

long handle_flistxattr(struct call *c)
{
	struct call_path path;

	if (call_path_fd(c, (int)c->args[0], &path) < 0)
		return SUPERVISE_CONTINUE;
	return list_path(c, &path);
}
