/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

static const uint64_t space_low = 4ULL << 30, inodes_low = 100000;

void sandbox_find_space(int store_dirfd, struct sandbox_finding *ret)
{
	struct statvfs fs;
	double gibibytes;
	bool low;

	*ret = (struct sandbox_finding){.name = "free space"};
	if (fstatvfs(store_dirfd, &fs) < 0) {
		sandbox_found(ret, SANDBOX_DEGRADED, "unknown: %s", strerror(errno));
		return;
	}
	gibibytes = (double)fs.f_bavail * (double)fs.f_frsize / (1 << 30);
	low = (uint64_t)fs.f_bavail * fs.f_frsize < space_low;
	/* Some file systems make inodes as they go, and count none. */
	if (fs.f_files == 0) {
		sandbox_found(ret, low ? SANDBOX_DEGRADED : SANDBOX_OK, "%.1f GiB", gibibytes);
	} else {
		low = low || fs.f_favail < inodes_low;
		sandbox_found(ret, low ? SANDBOX_DEGRADED : SANDBOX_OK, "%.1f GiB and %llu inodes",
			      gibibytes, (unsigned long long)fs.f_favail);
	}
	if (low)
		sandbox_found_cost(ret, "an image easily takes more",
				   "varve gc, or a store elsewhere");
}
