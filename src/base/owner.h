/* SPDX-License-Identifier: Apache-2.0
 * Who owns a file inside an image, whatever the host's kernel can store: the one interface between
 * the layer code and the ownership modes (reference: README, Internals). Modes that the kernel
 * keeps exactly (real root; a user namespace with a subuid range) use the inode's own ids. */
#ifndef BASE_OWNER_H
#define BASE_OWNER_H

#include <sys/stat.h>
#include <sys/types.h>

enum owner_mode {
	OWNER_ROOT, /* real root: ids are the inode's */
	OWNER_SUBUID, /* in a user namespace with >= 65536 ids: ids are the inode's, seen from
			 inside */
};

/* "root", "subuid": names of store directories and of members in keys; stable. */
const char *owner_mode_name(enum owner_mode mode);

/* Replaces st_uid, st_gid (and mode bits where a mode cannot store them) by what the image shall
 * see. name is in dirfd, not followed. Returns 0 or -errno. */
int owner_read(enum owner_mode mode, int dirfd, const char *name, struct stat *st);
/* Gives dirfd/name (not followed) to uid:gid. Clears set-id bits as chown does: call before chmod.
 */
int owner_write(enum owner_mode mode, int dirfd, const char *name, uid_t uid, gid_t gid);

#endif
