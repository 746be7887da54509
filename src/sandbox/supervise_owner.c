/* SPDX-License-Identifier: Apache-2.0
 * chown(2) and its kin. */
#include "sandbox/supervise_call.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fd.h"

enum { KEEP = -1 };

/* Who is not root may only give a file of his own to a group of his own. */
static bool may_change(const struct ids *ids, const struct owner_record *now, uint32_t uid,
		       uint32_t gid)
{
	uint32_t self = ids->of[IDS_USER].file, owner = now->owned ? now->uid : 0,
		 group = now->owned ? now->gid : 0;

	if (self == 0)
		return true;
	if (owner != self || (uid != (uint32_t)KEEP && uid != owner))
		return false;
	return gid == (uint32_t)KEEP || gid == group || ids_in_group(ids, gid);
}

static int keep_or_zero(uint32_t id)
{
	return id == (uint32_t)KEEP ? KEEP : 0;
}

/* 0: of files that hold their record. */
static int64_t birth_of_link(int fd)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_BTIME, &stx) < 0 ||
	    S_ISREG(stx.stx_mode) || S_ISDIR(stx.stx_mode))
		return 0;
	return stx.stx_btime.tv_sec * 1000000000 + stx.stx_btime.tv_nsec;
}

static int set_owner(struct call *c, int fd, int64_t birth, uint32_t uid, uint32_t gid)
{
	CLEANUP(fd_close) int renewed = -1;

	if (c->s->owners->mode == OWNER_ONE && birth != 0 && birth_of_link(fd) != birth)
		renewed = call_renew(fd);
	return call_set_owner(c->s, renewed >= 0 ? renewed : fd, uid, gid);
}

/* The kernel does all of a chown but the owner: the copy-up, the set-id bits, the time. */
static int change(struct call *c, int fd, uint32_t uid, uint32_t gid)
{
	struct owner_record now = {.owned = false};
	int64_t birth = birth_of_link(fd);

	(void)call_record(c->s, fd, &now);
	if (!may_change(ids_of(&c->s->ids, c->pid), &now, uid, gid))
		return -EPERM;
	if (!call_is_alive(c))
		return -ESRCH;
	if (fchownat(fd, "", (uid_t)keep_or_zero(uid), (gid_t)keep_or_zero(gid), AT_EMPTY_PATH) <
	    0) {
		/* A device that the host lends us: its owner is not ours to change. */
		return errno == EPERM ? 0 : -errno;
	}
	return set_owner(c, fd, birth, uid == (uint32_t)KEEP ? (now.owned ? now.uid : 0) : uid,
			 gid == (uint32_t)KEEP ? (now.owned ? now.gid : 0) : gid);
}

static int change_path(struct call *c, const struct call_path *path, const uint64_t ids[2])
{
	CLEANUP(fd_close) int fd = call_open(path);

	return fd < 0 ? fd : change(c, fd, (uint32_t)ids[0], (uint32_t)ids[1]);
}

static int change_at(struct call *c, int dirfd, uint64_t address, const uint64_t ids[2], int flags)
{
	struct call_path path;
	int r;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return SUPERVISE_CONTINUE;
	r = call_path(c, dirfd, address, flags, &path);
	if (r < 0)
		return r == -EXDEV ? SUPERVISE_CONTINUE : r;
	return change_path(c, &path, ids);
}

long handle_chown(struct call *c)
{
	return change_at(c, AT_FDCWD, c->args[0], &c->args[1], 0);
}

long handle_lchown(struct call *c)
{
	return change_at(c, AT_FDCWD, c->args[0], &c->args[1], AT_SYMLINK_NOFOLLOW);
}

long handle_fchownat(struct call *c)
{
	return change_at(c, (int)c->args[0], c->args[1], &c->args[2], (int)c->args[4]);
}

long handle_fchown(struct call *c)
{
	struct call_path path;
	int r = call_path_fd(c, (int)c->args[0], &path);

	if (r == 0)
		r = change_path(c, &path, &c->args[1]);
	return r == -ENOENT ? -EBADF : r;
}
