/* SPDX-License-Identifier: Apache-2.0
 * Commands in a chroot(2): no namespace of any kind.
 *
 *	caller -> keeper (furnishes the root, clears it, ends what is left) -> command
 *
 * The keeper outlives a caller that is killed for as long as it takes to clean up. */
#ifndef SANDBOX_SANDBOX_CHROOT_H
#define SANDBOX_SANDBOX_CHROOT_H

#include <sys/types.h>
#include "sandbox/sandbox.h"

struct buf;

/* What a command is started with. */
struct sandbox_chroot {
	const struct sandbox_host *host;
	const struct sandbox_spec *spec;
	int standard[3]; /* descriptors that become 0, 1, 2 */
	const struct buf *program; /* filter (sandbox_filter_make) */
	int listener_fd; /* socket that takes the filter's listener; -1: it has none */
};

/* sandbox_run for SANDBOX_CHROOT; standard: -1 as there. A command that is not there and a missing
 * working directory are -VARVE_E_STEP. */
int sandbox_chroot_run(const struct sandbox_host *host, const struct sandbox_spec *spec,
		       const int standard[3], int *ret_status, struct varve_error *err);

/* Starts the command in the furnished root. */
int sandbox_chroot_start(const struct sandbox_chroot *chroot, pid_t *ret_pid,
			 struct varve_error *err);

/* Kills every process that descends from the calling one, which has to be a reaper of orphans, and
 * waits for their ends. -ENOENT: there is no /proc to find them by, and some are left. */
int sandbox_reap_all(void);

#endif
