/* SPDX-License-Identifier: Apache-2.0
 * Why a host refuses user namespaces and mounts, in words. */
#ifndef SANDBOX_SANDBOX_CAUSE_H
#define SANDBOX_SANDBOX_CAUSE_H

/* Settings of the host that switch user namespaces off; -1: the host has no such setting. */
struct sandbox_settings {
	long max_user_namespaces; /* user.max_user_namespaces */
	long unprivileged_userns_clone; /* kernel.unprivileged_userns_clone */
	long apparmor_restrict; /* kernel.apparmor_restrict_unprivileged_userns */
};

struct sandbox_cause {
	const char *why; /* static */
	const char *cure; /* static */
};

void sandbox_settings_read(struct sandbox_settings *ret);
/* error is the errno of unshare(2) or of the first call that needed privilege in the new namespace.
 * is_root: the caller was root outside. */
struct sandbox_cause sandbox_cause_find(const struct sandbox_settings *settings, int error,
					int is_root);

#endif
