/* SPDX-License-Identifier: Apache-2.0
 * The merged view below a step: looking paths up in it, and comparing an upper's entry with it. */
#ifndef LAYER_LAYER_LOWER_H
#define LAYER_LAYER_LOWER_H

#include <stdbool.h>
#include <sys/stat.h>
#include <varve/error.h>
#include "base/buf.h"
#include "base/owner.h"

struct layer_lower {
	int root; /* borrowed; -1: there is nothing below */
	const struct owners *owners;
	struct buf directory; /* the last one asked for, and its descriptor; -1: not a directory
				 there */
	int fd;
	bool known;
	unsigned char *buffer; /* for comparing contents; made when needed */
};

void layer_lower_init(struct layer_lower *lower, int root, const struct owners *owners);
void layer_lower_release(struct layer_lower *lower);
/* What is at path, no symlink on the way followed. 1: something, 0: nothing (or a whiteout).
 * ret_dirfd: its directory; borrowed, valid until the next call; may be NULL. */
int layer_lower_find(struct layer_lower *lower, const char *path, struct stat *ret_st,
		     int *ret_dirfd, struct varve_error *err);
/* Compares dirfd/name, whose stat is st, with what lower has at path, in all that a layer keeps but
 * the time. 1: equal, ret_lower_st filled; 0: different, or nothing there. */
int layer_lower_equals(struct layer_lower *lower, const char *path, int dirfd,
		       const struct stat *st, struct stat *ret_lower_st, struct varve_error *err);

#endif
