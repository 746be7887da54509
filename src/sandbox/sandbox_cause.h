/* SPDX-License-Identifier: Apache-2.0
 * Why a host refuses user namespaces and mounts, in words. */
#ifndef SANDBOX_SANDBOX_CAUSE_H
#define SANDBOX_SANDBOX_CAUSE_H

#include <stdbool.h>

/* Who would have to be told to allow more. */
enum sandbox_container {
	SANDBOX_NO_CONTAINER, /* none that we know of */
	SANDBOX_DOCKER,
	SANDBOX_PODMAN,
	SANDBOX_KUBERNETES,
};

/* What of the host decides about user namespaces; -1: the host has no such setting. */
struct sandbox_settings {
	long max_user_namespaces; /* user.max_user_namespaces */
	long unprivileged_userns_clone; /* kernel.unprivileged_userns_clone */
	long apparmor_restrict; /* kernel.apparmor_restrict_unprivileged_userns */
	long seccomp; /* of this process: 2 where filters are installed */
	bool chrooted; /* the root directory is not that of the mount namespace */
	long container; /* enum sandbox_container */
};

struct sandbox_cause {
	const char *why; /* static */
	const char *cure; /* static */
};

void sandbox_settings_read(struct sandbox_settings *ret);
/* error is the errno of unshare(2) or of the first call that needed privilege in the new namespace.
 * is_root: the caller was root outside, and made a mount namespace only. */
struct sandbox_cause sandbox_cause_find(const struct sandbox_settings *settings, int error,
					int is_root);
/* What cures the failure that bwrap tells in text. */
const char *sandbox_cause_of_bwrap(const struct sandbox_settings *settings, const char *text);

#endif
