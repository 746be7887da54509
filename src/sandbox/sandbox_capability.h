/* SPDX-License-Identifier: Apache-2.0
 * Capabilities: what a command gets, and what we have. */
#ifndef SANDBOX_SANDBOX_CAPABILITY_H
#define SANDBOX_SANDBOX_CAPABILITY_H

#include <stdbool.h>

struct sandbox_capability {
	const char *name; /* "CAP_CHOWN" */
	int number;
};
/* What root of a container may do: maintainer scripts and package managers live with it. No device
 * can be made anyway, and the same set in every mode makes the modes agree. Ends with a name of
 * NULL. */
extern const struct sandbox_capability sandbox_capabilities[];

/* True when the calling process has it, in its user namespace. */
bool sandbox_is_capable(int number);
/* Leaves the calling process and all that it becomes at most the capabilities of that table. Only
 * system calls: may follow a fork. 0 or -errno. */
int sandbox_limit_capabilities(void);

#endif
