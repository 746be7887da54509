/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_filter.h"

#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <varve/error.h>
#include "base/cleanup.h"
#include "base/fd.h"

/* The other ABIs that a kernel of this machine runs. */
static int add_foreign(scmp_filter_ctx filter)
{
	int r = 0;

	switch (seccomp_arch_native()) {
	case SCMP_ARCH_X86_64:
		r = seccomp_arch_add(filter, SCMP_ARCH_X86);
		return r < 0 ? r : seccomp_arch_add(filter, SCMP_ARCH_X32);
	case SCMP_ARCH_AARCH64:
		return seccomp_arch_add(filter, SCMP_ARCH_ARM);
	default:
		return 0;
	}
}

/* A call that an ABI lacks (mknod on aarch64) is left out there by libseccomp. */
static int add_rules(scmp_filter_ctx filter)
{
	static const mode_t devices[] = {S_IFCHR, S_IFBLK};
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < ARRAY_SIZE(devices); i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(mknod), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, devices[i]));
		if (r == 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(mknodat), 1,
					     SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, devices[i]));
	}
	return r;
}

static int export(scmp_filter_ctx filter, int fd)
{
	int r = add_foreign(filter);

	if (r == 0)
		r = add_rules(filter);
	if (r == 0)
		r = seccomp_export_bpf(filter, fd);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r;
}

int sandbox_filter_open(int *ret_fd, struct varve_error *err)
{
	CLEANUP(fd_close) int fd = memfd_create("varve-filter", MFD_CLOEXEC);
	scmp_filter_ctx filter;
	int r;

	if (fd < 0)
		return varve_error_set(err, -errno, "make a file in memory");
	filter = seccomp_init(SCMP_ACT_ALLOW);
	if (!filter)
		return varve_error_set(err, -ENOMEM, "make a seccomp filter");
	r = export(filter, fd);
	seccomp_release(filter);
	if (r < 0)
		return varve_error_set(err, r, "make a seccomp filter");
	*ret_fd = steal_fd(&fd);
	return 0;
}
