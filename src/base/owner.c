/* SPDX-License-Identifier: Apache-2.0 */
#include "base/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner_links.h"

const char *owner_mode_name(enum owner_mode mode)
{
	switch (mode) {
	case OWNER_ROOT:
		return "root";
	case OWNER_SUBUID:
		return "subuid";
	case OWNER_ONE:
		return "one";
	}
	return "unknown";
}

/* There is no getxattrat(2) before Linux 6.13. Caller frees. */
static char *path_of(int dirfd, const char *name)
{
	return dirfd == AT_FDCWD ? xstrdup(name) : xasprintf("/proc/self/fd/%d/%s", dirfd, name);
}

static bool holds_record(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

static void read_link(const struct owners *owners, int dirfd, const char *name, struct stat *st)
{
	uint32_t uid = 0, gid = 0;

	if (owners->links)
		(void)owner_links_get(owners->links, dirfd, name, &uid, &gid);
	st->st_uid = uid;
	st->st_gid = gid;
}

int owner_read(const struct owners *owners, int dirfd, const char *name, struct stat *st)
{
	CLEANUP(free_ptr) char *path = NULL;
	struct owner_record record;
	int r;

	/* A device is an empty file: with ids of its own no other file has a record to look for. */
	if (owners->mode != OWNER_ONE && !(S_ISREG(st->st_mode) && st->st_size == 0))
		return 0;
	if (!holds_record(st)) {
		read_link(owners, dirfd, name, st);
		return 0;
	}
	path = path_of(dirfd, name);
	r = owner_record_get(path, false, &record);
	if (r == 0 && record.device && record.rdev != 0)
		owner_links_note_device(owners->links);
	if (r == 0)
		owner_record_apply(&record, owners->mode, st);
	return r;
}

/* As chown(2) does it. */
static int drop_privileges(int dirfd, const char *name)
{
	return fchownat(dirfd, name, (uid_t)-1, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int set_owner(const char *path, uid_t uid, gid_t gid)
{
	struct owner_record record;
	int r = owner_record_get(path, false, &record);

	if (r < 0)
		return r;
	record.owned = uid != 0 || gid != 0;
	record.uid = uid;
	record.gid = gid;
	return owner_record_set(path, false, &record);
}

/* Without privilege only who may write a file may give it a record. */
static int set_owner_opened(int dirfd, const char *name, const char *path, uid_t uid, gid_t gid)
{
	struct stat st;
	int r;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dirfd, name, (st.st_mode & 07777) | 0600, 0) < 0)
		return -errno;
	r = set_owner(path, uid, gid);
	if (fchmodat(dirfd, name, st.st_mode & 07777, 0) < 0 && r == 0)
		r = -errno;
	return r;
}

static int write_record(const struct owners *owners, int dirfd, const char *name, uid_t uid,
			gid_t gid)
{
	CLEANUP(free_ptr) char *path = NULL;
	struct stat st;
	int r;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!holds_record(&st))
		return owners->links ? owner_links_set(owners->links, dirfd, name, uid, gid) : 0;
	path = path_of(dirfd, name);
	r = drop_privileges(dirfd, name);
	if (r == 0)
		r = set_owner(path, uid, gid);
	return r == -EACCES ? set_owner_opened(dirfd, name, path, uid, gid) : r;
}

int owner_write(const struct owners *owners, int dirfd, const char *name, uid_t uid, gid_t gid)
{
	if (owners->mode == OWNER_ONE)
		return write_record(owners, dirfd, name, uid, gid);
	if (fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

int owner_write_made(const struct owners *owners, int fd, uid_t uid, gid_t gid)
{
	const struct owner_record record = {.owned = true, .uid = uid, .gid = gid};
	char text[OWNER_RECORD_TEXT];
	size_t len = owner_record_format(&record, text);

	if (owners->mode != OWNER_ONE)
		return fchown(fd, uid, gid) < 0 ? -errno : 0;
	if (uid == 0 && gid == 0)
		return 0;
	return fsetxattr(fd, OWNER_XATTR, text, len, 0) < 0 ? -errno : 0;
}

int owner_make_device(int dirfd, const char *name, mode_t mode, dev_t rdev)
{
	const struct owner_record record = {.device = true, .type = mode & S_IFMT, .rdev = rdev};
	CLEANUP(free_ptr) char *path = path_of(dirfd, name);
	CLEANUP(fd_close)
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = owner_record_set(path, false, &record);
	if (r == 0 && fchmod(fd, mode & 07777) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dirfd, name, 0);
	return r;
}
