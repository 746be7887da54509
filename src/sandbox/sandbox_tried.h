/* SPDX-License-Identifier: Apache-2.0
 * What trying out a host has shown: plain data. The children that try fill it in shared memory
 * (sandbox_probe), it is kept between runs as JSON, and sandbox_decide and sandbox_findings, both
 * pure, make of it how commands run and what varve doctor says. */
#ifndef SANDBOX_SANDBOX_TRIED_H
#define SANDBOX_SANDBOX_TRIED_H

#include <stdbool.h>
#include <stdint.h>
#include "base/json.h"
#include "sandbox/sandbox.h"
#include "sandbox/sandbox_cause.h"

/* Sizes of texts; longer ones are cut (programs with longer paths count as not installed). */
enum { SANDBOX_WORDS = 160, SANDBOX_PROGRAM = 512, SANDBOX_NAME = 64 };
/* Instead of an errno: there was no reason to try. 0: it worked. */
enum { SANDBOX_NOT_TRIED = -1 };
/* Of a listener that can be installed, when a command under its supervision fails all the same. */
enum { SANDBOX_UNSUPERVISED = -2 };

struct sandbox_tried {
	uint32_t uid, gid; /* effective ids */
	char user[SANDBOX_NAME]; /* name, or number as text */
	struct sandbox_settings settings;

	int mounts; /* errno of a mount namespace with private mounts; uid 0 only */
	int namespaces; /* errno of a user namespace with one id and private mounts in it */
	int root_owners; /* errno of a chown to id 65534 in the store; uid 0 only */
	int range_owners; /* the same in a namespace with the ranges below */
	char newuidmap[SANDBOX_PROGRAM], newgidmap[SANDBOX_PROGRAM]; /* "": not installed */
	struct sandbox_range uids, gids; /* what the tables give the user; count 0: nothing */
	uint32_t free_ids; /* the first id behind all ranges of both tables */
	char ranges_refused[SANDBOX_WORDS]; /* why no namespace with them came into being, or "" */

	/* In the kind of namespace that sandbox_choose picks: */
	bool overlay; /* mounts in the store; whiteouts and opaque directories appear */
	char overlay_refused[SANDBOX_WORDS]; /* why not, or "": not tried */
	bool bwrap_new_enough;
	bool bwrap_runs; /* a command */
	char bwrap[SANDBOX_PROGRAM]; /* "": not installed */
	char bwrap_version[SANDBOX_NAME]; /* as it says */
	char bwrap_refused[SANDBOX_WORDS]; /* the first line that it said instead, or "" */

	int listener; /* errno of installing a seccomp filter with a listener */
	int chroot; /* errno of chroot(2); uid 0 only */

	/* The store's file system: */
	uint32_t fs_type; /* f_type of statfs(2) */
	int files; /* errno of making a file */
	int xattrs; /* errno of a user xattr on it */
	int whiteouts; /* errno of making a character device 0:0 */
	bool reflinks;
};

/* Everything not tried. */
void sandbox_tried_init(struct sandbox_tried *ret);
/* Member by member; the caller owns the result. */
json_t *sandbox_tried_to_json(const struct sandbox_tried *tried);
/* false where a member is missing, has another type or does not fit. */
bool sandbox_tried_from_json(const json_t *object, struct sandbox_tried *ret);

#endif
