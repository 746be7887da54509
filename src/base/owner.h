/* SPDX-License-Identifier: Apache-2.0
 * Who owns a file inside an image, and which device it is, whatever the host's kernel can store:
 * the one interface between the layer code, the supervisor of commands and the ways of keeping
 * ids.
 *
 * With real root or a range of ids the inode's own ids are the image's. With one id all inodes
 * belong to that id and the image's ids are a record: the extended attribute OWNER_XATTR, or, for
 * what can hold none (symlinks, fifos, sockets), an entry in a table of inodes (owner_links.h). No
 * record: 0:0. No user may make devices, so in every mode a device is an empty file with a record;
 * where the file system refuses overlayfs's whiteouts they are devices 0:0 of that kind.
 *
 *	record = [ uid ":" gid ] [ ( "c" / "b" ) major ":" minor ]	decimal, no leading zeros */
#ifndef BASE_OWNER_H
#define BASE_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define OWNER_XATTR "user.varve.owner"

enum owner_mode {
	OWNER_ROOT, /* real root: ids are the inode's */
	OWNER_SUBUID, /* in a user namespace with >= 65536 ids: ids are the inode's, seen from
			 inside */
	OWNER_ONE, /* one id: ids are records */
};

struct owner_links;

/* How the files of one process's trees are kept. */
struct owners {
	enum owner_mode mode;
	bool file_whiteouts; /* whiteouts are empty files with a record "c0:0" */
	struct owner_links *links; /* borrowed; NULL: such files are all 0:0 */
};

/* "root", "subuid", "one": names of store directories and of members in keys; stable. */
const char *owner_mode_name(enum owner_mode mode);

/* Replaces in st what the inode does not say for itself: owner, type and rdev of devices. name is
 * in dirfd (or AT_FDCWD), not followed; "." is dirfd itself. Returns 0 or -errno. */
int owner_read(const struct owners *owners, int dirfd, const char *name, struct stat *st);
/* Gives dirfd/name (not followed) to uid:gid. Set-id bits and capabilities are gone then as after a
 * chown: call before chmod and before setting xattrs. */
int owner_write(const struct owners *owners, int dirfd, const char *name, uid_t uid, gid_t gid);
/* The same for a regular file that was just made and is open for writing: nothing is on it yet. */
int owner_write_made(const struct owners *owners, int fd, uid_t uid, gid_t gid);
/* Makes the device dirfd/name (mode: type and permissions, no umask; rdev as of makedev), 0:0. */
int owner_make_device(int dirfd, const char *name, mode_t mode, dev_t rdev);

/* --- records: for the supervisor, which has no directory and name ------------------------------
 */
struct owner_record {
	bool owned, device; /* which members count */
	uint32_t uid, gid;
	mode_t type; /* S_IFCHR or S_IFBLK */
	dev_t rdev;
};

/* len bytes of an attribute's value. false: malformed. */
bool owner_record_parse(const char *text, size_t len, struct owner_record *ret);
enum { OWNER_RECORD_TEXT = 64 };
/* Returns the length. */
size_t owner_record_format(const struct owner_record *record, char text[OWNER_RECORD_TEXT]);
/* The record of the file that path leads to (follow: also through a last symlink, as for
 * /proc/self/fd/N). Absent, malformed and unsupported: an empty record. Returns 0 or -errno. */
int owner_record_get(const char *path, bool follow, struct owner_record *ret);
/* An empty record removes it. */
int owner_record_set(const char *path, bool follow, const struct owner_record *record);
/* What a program shall see of a file with that record. */
void owner_record_apply(const struct owner_record *record, enum owner_mode mode, struct stat *st);

#endif
