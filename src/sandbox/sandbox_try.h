/* SPDX-License-Identifier: Apache-2.0
 * The single tries of sandbox_probe. Each fills members of a struct sandbox_tried, which may lie in
 * memory shared with the process that forked us; what a try does to its own process is of no
 * account to it. */
#ifndef SANDBOX_SANDBOX_TRY_H
#define SANDBOX_SANDBOX_TRY_H

#include "sandbox/sandbox_tried.h"

struct sandbox_try {
	struct sandbox_tried *tried;
	const struct sandbox_host *host; /* what to try it with */
	int store; /* directory descriptor */
};

/* --- in a child of their own: they change namespaces, root directory or filters --------------- */
void sandbox_try_mounts(const struct sandbox_try *try);
void sandbox_try_namespaces(const struct sandbox_try *try);
void sandbox_try_listener(const struct sandbox_try *try);
void sandbox_try_chroot(const struct sandbox_try *try);

/* --- in the namespaces of host ---------------------------------------------------------------- */
/* Runs a command around the host's own root directory. */
void sandbox_try_bwrap(const struct sandbox_try *try);
/* Mounts an overlay in the store and looks at what changes leave in its upper directory. */
void sandbox_try_overlay(const struct sandbox_try *try);

/* --- anywhere --------------------------------------------------------------------------------- */
/* Gives a file in the store to another id: an errno. */
int sandbox_try_chown(int store);
void sandbox_try_programs(struct sandbox_tried *tried);
void sandbox_try_tables(struct sandbox_tried *tried);
void sandbox_try_files(const struct sandbox_try *try);

#endif
