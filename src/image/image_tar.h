/* SPDX-License-Identifier: Apache-2.0
 * An archive of an image while it is written: members that are plain files of mode 0644, owner 0:0,
 *time 0, under a temporary name until commit. begin -> (text | file | start, bytes to fd, end)...
 *-> commit | abort (CLEANUP does) */
#ifndef IMAGE_IMAGE_TAR_H
#define IMAGE_IMAGE_TAR_H

#include <stdint.h>
#include <sys/types.h>
#include <varve/error.h>
#include "base/tempfile.h"

struct buf;

struct image_tar {
	int dirfd;
	struct tempfile file;
	char *name; /* final name in dirfd */
	char *member; /* of start */
	off_t start; /* of its header */
	size_t header; /* bytes of the header as written */
	uint64_t size; /* as the header says; after IMAGE_TAR_AGAIN as it should say */
};

#define IMAGE_TAR_INIT                                                                             \
	{                                                                                          \
		-1, TEMPFILE_INIT, NULL, NULL, 0, 0, 0                                             \
	}
/* From end: the true size needs a longer header; the member was taken back, start it with
 * tar->size. */
enum { IMAGE_TAR_AGAIN = 1 };

int image_tar_begin(const char *path, struct image_tar *ret, struct varve_error *err);
int image_tar_text(struct image_tar *tar, const char *name, const struct buf *text,
		   struct varve_error *err);
/* A directory. Readers that are not root want one before what lies in it: one that they make up
 * themselves they try to give to root. */
int image_tar_directory(struct image_tar *tar, const char *name, struct varve_error *err);
/* Exactly size bytes from fd. */
int image_tar_file(struct image_tar *tar, const char *name, int fd, uint64_t size,
		   struct varve_error *err);
/* A member whose size is found out on the way: size may be 0 or a guess. */
int image_tar_start(struct image_tar *tar, const char *name, uint64_t size,
		    struct varve_error *err);
int image_tar_fd(const struct image_tar *tar);
int image_tar_end(struct image_tar *tar, uint64_t size, struct varve_error *err);
/* Writes the end, syncs and renames. */
int image_tar_commit(struct image_tar *tar, struct varve_error *err);
void image_tar_abort(struct image_tar *tar);

#endif
