/* SPDX-License-Identifier: Apache-2.0
 * Extended attributes as a layer holds them: user.*, security.capability (as version 2) and POSIX
 * ACLs; nothing else. In a tree an image's own user.overlay.NAME is stored as
 * user.overlay.overlay.NAME, as overlayfs does, and any other user.overlay.* belongs to overlayfs.
 */
#ifndef LAYER_LAYER_XATTR_H
#define LAYER_LAYER_XATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <varve/error.h>

struct layer_xattr {
	char *name; /* as the image sees it */
	char *value;
	size_t size;
};

struct layer_xattrs {
	struct layer_xattr *items; /* sorted by name */
	size_t count, alloc;
};

#define LAYER_XATTRS_INIT                                                                          \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

enum layer_xattr_form {
	LAYER_XATTR_TREE, /* the inode of a tree or an upper: names are escaped */
	LAYER_XATTR_VIEW, /* as a program in the image sees it: a mount, a copy; reads trees too
			     where no directory is opaque */
};

void layer_xattrs_release(struct layer_xattrs *x); /* usable with CLEANUP */
/* Adds one as the image sees it; what layers do not keep is left out. */
void layer_xattrs_add(struct layer_xattrs *x, const char *name, const void *value, size_t size);
void layer_xattrs_sort(struct layer_xattrs *x);
bool layer_xattrs_equal(const struct layer_xattrs *a, const struct layer_xattrs *b);

/* fd: an open file or directory (no O_PATH). Functions return -errno. */
int layer_xattrs_read(int fd, enum layer_xattr_form form, struct layer_xattrs *ret);
int layer_xattrs_write(int fd, enum layer_xattr_form form, const struct layer_xattrs *x);
/* A file that was seen as in a view becomes one of a tree. */
int layer_xattrs_escape(int fd);
/* Removes from an upper's inode what a layer does not keep, but for the record of its owner. */
int layer_xattrs_strip(int fd);
/* 1: the directory is opaque; 0: it is not. */
int layer_xattr_opaque(int fd);
int layer_xattr_set_opaque(int fd);

#endif
