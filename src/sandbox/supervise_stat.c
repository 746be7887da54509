/* SPDX-License-Identifier: Apache-2.0
 * stat(2) and its kin. Of most files there is nothing to tell, and the kernel answers. */
#include "sandbox/supervise_call.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fd.h"

static int answer_stat(struct call *c, int fd, uint64_t address)
{
	struct owner_record record;
	struct stat st;
	int r = call_record(c->s, fd, &record);

	/* The kernel's structure and the C library's are one on the machines of 64 bits. */
	_Static_assert(sizeof(struct stat) == 144 || sizeof(struct stat) == 128, "struct stat");
	if (r <= 0 || fstat(fd, &st) < 0)
		return SUPERVISE_CONTINUE;
	owner_record_apply(&record, c->s->owners->mode, &st);
	return call_write(c, address, &st, sizeof(st));
}

static int stat_path(struct call *c, const struct call_path *path, uint64_t address)
{
	CLEANUP(fd_close) int fd = -1;

	if (call_may_have_record(c->s, path) > 0)
		fd = call_open(path);
	return fd < 0 ? SUPERVISE_CONTINUE : answer_stat(c, fd, address);
}

static int stat_at(struct call *c, int dirfd, uint64_t path_address, uint64_t address, int flags)
{
	struct call_path path;

	if (call_path(c, dirfd, path_address, flags, &path) < 0)
		return SUPERVISE_CONTINUE;
	return stat_path(c, &path, address);
}

long handle_stat(struct call *c)
{
	return stat_at(c, AT_FDCWD, c->args[0], c->args[1], 0);
}

long handle_lstat(struct call *c)
{
	return stat_at(c, AT_FDCWD, c->args[0], c->args[1], AT_SYMLINK_NOFOLLOW);
}

long handle_newfstatat(struct call *c)
{
	return stat_at(c, (int)c->args[0], c->args[1], c->args[2], (int)c->args[3]);
}

long handle_fstat(struct call *c)
{
	struct call_path path;

	if (call_path_fd(c, (int)c->args[0], &path) < 0)
		return SUPERVISE_CONTINUE;
	return stat_path(c, &path, c->args[1]);
}

static int answer_statx(struct call *c, int fd)
{
	const int sync = (int)c->args[2] & (AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC);
	struct owner_record record;
	struct statx stx;
	struct stat st;

	if (call_record(c->s, fd, &record) <= 0 || fstat(fd, &st) < 0 ||
	    statx(fd, "", AT_EMPTY_PATH | sync, (unsigned)c->args[3], &stx) < 0)
		return SUPERVISE_CONTINUE;
	owner_record_apply(&record, c->s->owners->mode, &st);
	stx.stx_uid = st.st_uid;
	stx.stx_gid = st.st_gid;
	stx.stx_mode = (uint16_t)st.st_mode;
	stx.stx_rdev_major = major(st.st_rdev);
	stx.stx_rdev_minor = minor(st.st_rdev);
	return call_write(c, c->args[4], &stx, sizeof(stx));
}

long handle_statx(struct call *c)
{
	CLEANUP(fd_close) int fd = -1;
	struct call_path path;

	if (call_path(c, (int)c->args[0], c->args[1], (int)c->args[2], &path) == 0 &&
	    call_may_have_record(c->s, &path) > 0)
		fd = call_open(&path);
	return fd < 0 ? SUPERVISE_CONTINUE : answer_statx(c, fd);
}
