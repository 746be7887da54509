/* SPDX-License-Identifier: Apache-2.0 */
#include "base/network.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

int network_cut_privileged(void)
{
	return unshare(CLONE_NEWNET) < 0 ? -errno : 0;
}

static int write_file(const char *path, const char *text)
{
	CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

/* A process may map its own ids; its groups only after it gave up to change them
 * (user_namespaces(7), "setgroups"). */
static int keep_ids(uid_t uid, gid_t gid)
{
	CLEANUP(free_ptr) char *uids = xasprintf("%u %u 1", uid, uid);
	CLEANUP(free_ptr) char *gids = xasprintf("%u %u 1", gid, gid);
	int r = write_file("/proc/self/setgroups", "deny");

	if (r == 0)
		r = write_file("/proc/self/uid_map", uids);
	return r < 0 ? r : write_file("/proc/self/gid_map", gids);
}

int network_cut(struct varve_error *err)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r = network_cut_privileged();

	if (r == 0)
		return 0;
	if (r == -EPERM)
		r = unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ? -errno : keep_ids(uid, gid);
	if (r < 0)
		return varve_error_set(err, -VARVE_E_HOST,
				       "this host does not let the network be cut off: %s\n"
				       "varve doctor says what is missing",
				       strerror(-r));
	return 0;
}
