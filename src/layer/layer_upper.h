/* SPDX-License-Identifier: Apache-2.0
 * The passes that turn an upper into a tree (layer_normalise):
 *
 *	upper_clean   what a layer cannot or shall not hold goes; ownership is set; opaque
 *directories become whiteouts. Finds hard links and .pyc files on the way. upper_decide_links,
 *upper_patch_pycs upper_reduce  what equals the lower view goes; times are clamped; unchanged
 *directories are implied.
 *
 * Times of files stay untouched until the last pass: .pyc files are compared with them. */
#ifndef LAYER_LAYER_UPPER_H
#define LAYER_LAYER_UPPER_H

#include <stdbool.h>
#include <stddef.h>
#include "base/strv.h"
#include "layer/layer.h"
#include "layer/layer_lower.h"

struct layer_upper {
	int root;
	const struct layer_rules *rules;
	const struct layer_notices *notices;
	struct layer_lower lower;
	struct strv pycs; /* paths of files in __pycache__ */
	void *groups; /* tsearch(3) tree of struct link_group */
	struct strv implied; /* filled by upper_reduce */
	struct varve_error *err;
};

/* The names of one inode. */
struct link_group {
	dev_t dev;
	ino_t ino;
	struct strv paths;
	bool dropped; /* all equal the lower view, where they are links of one inode too */
};

int upper_clean(struct layer_upper *upper);
int upper_decide_links(struct layer_upper *upper);
int upper_patch_pycs(struct layer_upper *upper);
int upper_reduce(struct layer_upper *upper);

/* Remembers a name of a file with several. */
void upper_add_link(struct layer_upper *upper, const struct stat *st, const char *path);
/* NULL: the file has one name. */
const struct link_group *upper_link_group(const struct layer_upper *upper, const struct stat *st);
void upper_release_links(struct layer_upper *upper);

/* 1: path is there and no whiteout; ret_dirfd: its directory, opened. 0: it is not. */
int upper_find(struct layer_upper *upper, const char *path, struct stat *ret_st, int *ret_dirfd);
/* 1: the non-directory dirfd/name at path equals the lower view and will be dropped. */
int upper_is_unchanged(struct layer_upper *upper, const char *path, int dirfd,
		       const struct stat *st, struct stat *ret_lower_st);
/* Whole seconds, 0 <= time <= epoch. */
struct timespec upper_clamp(const struct layer_upper *upper, struct timespec mtime);
int upper_set_time(struct layer_upper *upper, int dirfd, const char *path, struct timespec mtime);
int upper_unlink(struct layer_upper *upper, int dirfd, const char *path, int flags);
void upper_notice(struct layer_upper *upper, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
