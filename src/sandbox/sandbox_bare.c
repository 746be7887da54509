/* SPDX-License-Identifier: Apache-2.0
 * Hosts on which no namespace can be made, or shall be. */
#include "sandbox/sandbox.h"

#include <linux/capability.h>
#include <unistd.h>
#include "base/owner_links.h"
#include "sandbox/sandbox_capability.h"

void sandbox_strip(struct sandbox_host *host, enum sandbox_isolation isolation)
{
	struct sandbox_host bare = {
		.owners = {.mode = host->owners.mode == OWNER_ROOT ? OWNER_ROOT : OWNER_ONE,
			   .file_whiteouts = host->owners.file_whiteouts},
		.isolation = isolation,
		.listener = host->listener,
		.uid = host->uid,
		.gid = host->gid,
		.cause = host->cause,
	};

	sandbox_host_release(host);
	if (bare.owners.mode == OWNER_ONE)
		bare.owners.links = owner_links_new();
	*host = bare;
}

static bool has_proc(void)
{
	return access("/proc/self/fd", F_OK) == 0;
}

static bool may_chroot(void)
{
	return geteuid() == 0 && sandbox_is_capable(CAP_SYS_CHROOT);
}

bool sandbox_can_chroot(void)
{
	return may_chroot() && has_proc();
}

void sandbox_use_chroot(struct sandbox_host *host)
{
	bool can = may_chroot();

	sandbox_strip(host, can ? SANDBOX_CHROOT : SANDBOX_NONE);
	if (!can) {
		(void)varve_error_set(&host->cause, -VARVE_E_HOST,
				      "--isolation chroot needs root with CAP_SYS_CHROOT");
		varve_error_hint(&host->cause, "varve doctor says what this host can do without");
	}
}

void sandbox_need_proc(struct sandbox_host *host)
{
	if (has_proc())
		return;
	sandbox_strip(host, SANDBOX_NONE);
	(void)varve_error_set(&host->cause, -VARVE_E_HOST,
			      "commands cannot run on this host: no /proc is mounted");
	varve_error_hint(&host->cause, "try: mount -t proc proc /proc");
}
