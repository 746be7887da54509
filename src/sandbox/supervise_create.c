/* SPDX-License-Identifier: Apache-2.0
 * Calls that make files. A new file belongs to its maker, and in a directory with the set-group-id
 * bit to that one's group: where that is not 0:0, the supervisor makes the file and gives it its
 * record; all others the kernel makes. */
#include "sandbox/supervise_call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner_links.h"

#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1) /* Linux 5.14 */
#endif

struct owner {
	uint32_t uid, gid;
};

/* Whom a new file in a directory belongs to. false: 0:0. */
static bool new_owner(const struct call *c, const struct call_path *directory, struct owner *ret)
{
	const struct ids *ids = ids_of(&c->s->ids, c->pid);
	struct owner_record record = {.owned = false};
	struct stat st;

	*ret = (struct owner){ids->of[IDS_USER].file, ids->of[IDS_GROUP].file};
	if (stat(directory->text, &st) == 0 && (st.st_mode & S_ISGID)) {
		(void)owner_record_get(directory->text, true, &record);
		ret->gid = record.owned ? record.gid : 0;
	}
	return ret->uid != 0 || ret->gid != 0;
}

/* Opens what was made, which nobody can have replaced by a symlink. */
static int own(struct call *c, const struct call_place *place, const struct owner *owner)
{
	CLEANUP(fd_close)
	int fd = openat(place->dir, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : call_set_owner(c->s, fd, owner->uid, owner->gid);
}

/* 1: the place is open and what is made there is ours to make; else what the handler returns. */
static int prepare(struct call *c, int dirfd, uint64_t path, struct call_place *place,
		   struct owner *ret)
{
	if (call_find_place(c, dirfd, path, place) < 0 || !new_owner(c, &place->path, ret) ||
	    call_open_place(place) < 0 || !call_is_alive(c))
		return SUPERVISE_CONTINUE;
	return 1;
}

static int make_directory(struct call *c, int dirfd, uint64_t path, mode_t mode)
{
	CLEANUP(call_place_release) struct call_place place = {.dir = -1};
	struct owner owner;
	int r = prepare(c, dirfd, path, &place, &owner);

	if (r != 1)
		return r;
	if (mkdirat(place.dir, place.name, mode & ~call_umask(c)) < 0)
		return -errno;
	return own(c, &place, &owner);
}

long handle_mkdir(struct call *c)
{
	return make_directory(c, AT_FDCWD, c->args[0], (mode_t)c->args[1]);
}

long handle_mkdirat(struct call *c)
{
	return make_directory(c, (int)c->args[0], c->args[1], (mode_t)c->args[2]);
}

static int make_symlink(struct call *c, uint64_t target_address, int dirfd, uint64_t path)
{
	CLEANUP(call_place_release) struct call_place place = {.dir = -1};
	char target[PATH_MAX];
	struct owner owner;
	int r = prepare(c, dirfd, path, &place, &owner);

	if (r == 1)
		r = call_read_path(c, target_address, target) < 0 ? SUPERVISE_CONTINUE : 1;
	if (r != 1)
		return r;
	if (symlinkat(target, place.dir, place.name) < 0)
		return -errno;
	return own(c, &place, &owner);
}

long handle_symlink(struct call *c)
{
	return make_symlink(c, c->args[0], AT_FDCWD, c->args[1]);
}

long handle_symlinkat(struct call *c)
{
	return make_symlink(c, c->args[0], (int)c->args[1], c->args[2]);
}

/* --- mknod -------------------------------------------------------------------------------------
 */

/* An empty file with a record. */
static int make_device(struct call *c, const struct call_place *place, mode_t mode, dev_t rdev)
{
	struct owner_record record = {.device = true, .type = mode & S_IFMT, .rdev = rdev};
	CLEANUP(fd_close) int fd = -1;
	char path[CALL_FD_PATH];
	struct owner owner;
	int r;

	/* As overlayfs does: that device is its whiteout. */
	if (rdev == 0 || !call_is_privileged(c))
		return -EPERM;
	fd = openat(place->dir, place->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	record.owned = c->s->owners->mode == OWNER_ONE && new_owner(c, &place->path, &owner);
	record.uid = record.owned ? owner.uid : 0;
	record.gid = record.owned ? owner.gid : 0;
	r = owner_record_set(call_fd_path(fd, path), true, &record);
	if (r == 0 && fchmod(fd, mode & 07777 & ~call_umask(c)) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(place->dir, place->name, 0);
	else
		owner_links_note_device(c->s->owners->links);
	return call_holds_no_record(r) ? -EPERM : r;
}

static int make_node(struct call *c, int dirfd, uint64_t path, mode_t mode, unsigned rdev)
{
	CLEANUP(call_place_release) struct call_place place = {.dir = -1};
	struct owner owner;
	int r;

	if (S_ISCHR(mode) || S_ISBLK(mode)) {
		r = call_find_place(c, dirfd, path, &place);
		if (r == 0)
			r = call_open_place(&place);
		if (r == 0 && !call_is_alive(c))
			r = -ESRCH;
		return r == 0 ? make_device(c, &place, mode, rdev) : r == -EXDEV ? -EPERM : r;
	}
	r = prepare(c, dirfd, path, &place, &owner);
	if (r != 1)
		return r;
	if (mknodat(place.dir, place.name, mode & ~call_umask(c), 0) < 0)
		return -errno;
	return own(c, &place, &owner);
}

long handle_mknod(struct call *c)
{
	return make_node(c, AT_FDCWD, c->args[0], (mode_t)c->args[1], (unsigned)c->args[2]);
}

long handle_mknodat(struct call *c)
{
	return make_node(c, (int)c->args[0], c->args[1], (mode_t)c->args[2], (unsigned)c->args[3]);
}

/* --- open --------------------------------------------------------------------------------------
 */

/* The task gets the descriptor as the result of its call. */
static int give(struct call *c, int fd, int flags)
{
	struct seccomp_notif_addfd add = {
		.id = c->id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)fd,
		.newfd_flags = flags & O_CLOEXEC,
	};

	return ioctl(c->s->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno
									  : SUPERVISE_ANSWERED;
}

static int open_new(struct call *c, const struct call_place *place, const struct open_how *how,
		    const struct owner *owner)
{
	const int flags = (int)how->flags;
	CLEANUP(fd_close)
	int fd = openat(place->dir, place->name, flags | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			(mode_t)how->mode & ~call_umask(c));
	int r;

	if (fd < 0)
		return errno == EEXIST ? SUPERVISE_CONTINUE : -errno;
	r = call_set_owner(c->s, fd, owner->uid, owner->gid);
	return r < 0 ? r : give(c, fd, flags);
}

/* A file without a name in a directory. */
static int open_unnamed(struct call *c, int dirfd, uint64_t address, const struct open_how *how)
{
	CLEANUP(fd_close) int fd = -1;
	struct call_path path;
	struct owner owner;
	int r;

	if (call_path(c, dirfd, address, 0, &path) < 0 || !new_owner(c, &path, &owner) ||
	    !call_is_alive(c))
		return SUPERVISE_CONTINUE;
	fd = open(path.text, (int)how->flags | O_CLOEXEC, (mode_t)how->mode & ~call_umask(c));
	if (fd < 0)
		return -errno;
	r = call_set_owner(c->s, fd, owner.uid, owner.gid);
	return r < 0 ? r : give(c, fd, (int)how->flags);
}

/* Only what is not there is made; through a symlink that leads to nothing, the kernel makes it. */
static int make_file(struct call *c, int dirfd, uint64_t path, const struct open_how *how)
{
	CLEANUP(call_place_release) struct call_place place = {.dir = -1};
	struct owner owner;
	struct stat st;
	int r;

	if ((how->flags & O_TMPFILE) == O_TMPFILE)
		return open_unnamed(c, dirfd, path, how);
	if (!(how->flags & O_CREAT))
		return SUPERVISE_CONTINUE;
	r = prepare(c, dirfd, path, &place, &owner);
	if (r != 1)
		return r;
	if (fstatat(place.dir, place.name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return SUPERVISE_CONTINUE;
	return open_new(c, &place, how, &owner);
}

long handle_open(struct call *c)
{
	const struct open_how how = {.flags = (unsigned)c->args[1], .mode = c->args[2] & 07777};

	return make_file(c, AT_FDCWD, c->args[0], &how);
}

long handle_openat(struct call *c)
{
	const struct open_how how = {.flags = (unsigned)c->args[2], .mode = c->args[3] & 07777};

	return make_file(c, (int)c->args[0], c->args[1], &how);
}

long handle_creat(struct call *c)
{
	const struct open_how how = {.flags = O_CREAT | O_WRONLY | O_TRUNC,
				     .mode = c->args[1] & 07777};

	return make_file(c, AT_FDCWD, c->args[0], &how);
}

/* With limits on how the path is followed the kernel opens it. */
long handle_openat2(struct call *c)
{
	struct open_how how;

	if (c->args[3] < sizeof(how) || call_read(c, c->args[2], &how, sizeof(how)) < 0 ||
	    how.resolve != 0)
		return SUPERVISE_CONTINUE;
	return make_file(c, (int)c->args[0], c->args[1], &how);
}
