/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <varve/error.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

enum {
	PROGRAM_LIMIT = 1 << 20,
	IN_ALL = 1 << WATCH_ALL,
	IN_LOOKS = IN_ALL | 1 << WATCH_SEEN_DEVICES,
	IN_OWNERS = IN_ALL | 1 << WATCH_OWNERS,
	IN_DEVICES = IN_OWNERS | IN_LOOKS | 1 << WATCH_DEVICES,
};

const struct watched_call watched_calls[] = {
	{"mknod", IN_DEVICES, 1, S_IFMT, S_IFCHR},
	{"mknod", IN_DEVICES, 1, S_IFMT, S_IFBLK},
	{"mknodat", IN_DEVICES, 2, S_IFMT, S_IFCHR},
	{"mknodat", IN_DEVICES, 2, S_IFMT, S_IFBLK},
	{"chown", IN_OWNERS, -1, 0, 0},
	{"lchown", IN_OWNERS, -1, 0, 0},
	{"fchown", IN_OWNERS, -1, 0, 0},
	{"fchownat", IN_OWNERS, -1, 0, 0},
	{"stat", IN_LOOKS, -1, 0, 0},
	{"lstat", IN_LOOKS, -1, 0, 0},
	{"fstat", IN_LOOKS, -1, 0, 0},
	{"newfstatat", IN_LOOKS, -1, 0, 0},
	{"statx", IN_LOOKS, -1, 0, 0},
	{"setuid", IN_ALL, -1, 0, 0},
	{"setgid", IN_ALL, -1, 0, 0},
	{"setreuid", IN_ALL, -1, 0, 0},
	{"setregid", IN_ALL, -1, 0, 0},
	{"setresuid", IN_ALL, -1, 0, 0},
	{"setresgid", IN_ALL, -1, 0, 0},
	{"setfsuid", IN_ALL, -1, 0, 0},
	{"setfsgid", IN_ALL, -1, 0, 0},
	{"setgroups", IN_ALL, -1, 0, 0},
	{"prctl", IN_ALL, 0, UINT32_MAX, PR_SET_KEEPCAPS},
	{"prctl", IN_ALL, 0, UINT32_MAX, PR_SET_SECUREBITS},
	{"setrlimit", IN_ALL, 0, UINT32_MAX, RLIMIT_LOCKS},
	{"getrlimit", IN_ALL, 0, UINT32_MAX, RLIMIT_LOCKS},
	{"prlimit64", IN_ALL, 1, UINT32_MAX, RLIMIT_LOCKS},
	{"getuid", IN_ALL, -1, 0, 0},
	{"geteuid", IN_ALL, -1, 0, 0},
	{"getgid", IN_ALL, -1, 0, 0},
	{"getegid", IN_ALL, -1, 0, 0},
	{"getresuid", IN_ALL, -1, 0, 0},
	{"getresgid", IN_ALL, -1, 0, 0},
	{"getgroups", IN_ALL, -1, 0, 0},
	{"open", IN_ALL, 1, O_CREAT, O_CREAT},
	{"openat", IN_ALL, 2, O_CREAT, O_CREAT},
	{"openat", IN_ALL, 2, O_TMPFILE, O_TMPFILE},
	{"openat2", IN_ALL, -1, 0, 0},
	{"creat", IN_ALL, -1, 0, 0},
	{"mkdir", IN_ALL, -1, 0, 0},
	{"mkdirat", IN_ALL, -1, 0, 0},
	{"symlink", IN_ALL, -1, 0, 0},
	{"symlinkat", IN_ALL, -1, 0, 0},
	{"mknod", IN_ALL, 1, S_IFMT, S_IFIFO},
	{"mknod", IN_ALL, 1, S_IFMT, S_IFREG},
	{"mknodat", IN_ALL, 2, S_IFMT, S_IFIFO},
	{"mknodat", IN_ALL, 2, S_IFMT, S_IFREG},
	{"mknod", IN_ALL, 1, S_IFMT, 0},
	{"mknodat", IN_ALL, 2, S_IFMT, 0},
	{"pivot_root", IN_LOOKS, -1, 0, 0},
	{"chroot", IN_LOOKS, -1, 0, 0},
	{"setns", IN_LOOKS, -1, 0, 0},
	{"unshare", IN_LOOKS, -1, 0, 0},
	{"clone", IN_LOOKS, 0, CLONE_NEWNS, CLONE_NEWNS},
	{"listxattr", IN_LOOKS, -1, 0, 0},
	{"llistxattr", IN_LOOKS, -1, 0, 0},
	{"flistxattr", IN_LOOKS, -1, 0, 0},
	{NULL, 0, -1, 0, 0},
};

/* Where nobody watches them they would fail, and with them the program. */
static const char *const owner_calls[] = {"chown", "lchown", "fchown", "fchownat"};
static const char *const id_calls[] = {"setuid",    "setgid",    "setreuid", "setregid",
				       "setresuid", "setresgid", "setgroups"};

static bool is_one_id(enum sandbox_watch watch)
{
	return watch >= WATCH_FLAT;
}

int sandbox_filter_add_foreign(void *filter, uint32_t arch)
{
	int r = 0;

	switch (arch) {
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
static int add_watched(scmp_filter_ctx filter, enum sandbox_watch watch)
{
	const struct watched_call *call;
	int r = 0;

	for (call = watched_calls; r == 0 && call->name; call++) {
		int number = seccomp_syscall_resolve_name(call->name);

		if (!(call->in & 1U << watch) || number == __NR_SCMP_ERROR)
			continue;
		if (call->flags_at < 0)
			r = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, number, 0);
		else
			r = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, number, 1,
					     SCMP_CMP((unsigned)call->flags_at, SCMP_CMP_MASKED_EQ,
						      call->mask, call->value));
	}
	return r;
}

static int pretend(scmp_filter_ctx filter, const char *const *names, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0),
				     seccomp_syscall_resolve_name(names[i]), 0);
	return r;
}

static int add_pretended(scmp_filter_ctx filter, enum sandbox_watch watch)
{
	int r = 0;

	if (watch == WATCH_FLAT)
		r = pretend(filter, owner_calls, ARRAY_SIZE(owner_calls));
	if (r == 0 && (watch == WATCH_FLAT || watch == WATCH_OWNERS))
		r = pretend(filter, id_calls, ARRAY_SIZE(id_calls));
	return r;
}

/* What could go round the supervisor: files are opened and looked at in an io_uring too. */
static int add_refused(scmp_filter_ctx filter, enum sandbox_watch watch)
{
	return watch == WATCH_ALL || watch == WATCH_SEEN_DEVICES
		       ? seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup),
					  0)
		       : 0;
}

static int use_arch(scmp_filter_ctx filter, uint32_t arch)
{
	int r;

	if (arch == seccomp_arch_native())
		return 0;
	r = seccomp_arch_add(filter, arch);
	return r < 0 ? r : seccomp_arch_remove(filter, seccomp_arch_native());
}

static int export(scmp_filter_ctx filter, enum sandbox_watch watch, uint32_t arch, int fd)
{
	int r = use_arch(filter, arch);

	if (r == 0 && !is_one_id(watch))
		r = sandbox_filter_add_foreign(filter, arch);
	if (r == 0)
		r = add_watched(filter, watch);
	if (r == 0)
		r = add_pretended(filter, watch);
	if (r == 0)
		r = add_refused(filter, watch);
	if (r == 0)
		r = seccomp_export_bpf(filter, fd);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r;
}

static int open_for(enum sandbox_watch watch, uint32_t arch, int *ret_fd, struct varve_error *err)
{
	CLEANUP(fd_close) int fd = memfd_create("varve-filter", MFD_CLOEXEC);
	scmp_filter_ctx filter;
	int r;

	if (fd < 0)
		return varve_error_set(err, -errno, "make a file in memory");
	filter = seccomp_init(SCMP_ACT_ALLOW);
	if (!filter)
		return varve_error_set(err, -ENOMEM, "make a seccomp filter");
	/* Seen from a filter of 32 bits, the calls that are there to be killed are many. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = export(filter, watch, arch, fd);
	seccomp_release(filter);
	if (r < 0)
		return varve_error_set(err, r, "make a seccomp filter");
	*ret_fd = steal_fd(&fd);
	return 0;
}

int sandbox_filter_open(enum sandbox_watch watch, int *ret_fd, struct varve_error *err)
{
	return open_for(watch, seccomp_arch_native(), ret_fd, err);
}

int sandbox_filter_make(enum sandbox_watch watch, uint32_t arch, struct buf *ret,
			struct varve_error *err)
{
	CLEANUP(fd_close) int fd = -1;
	int r = open_for(watch, arch ? arch : seccomp_arch_native(), &fd, err);

	if (r < 0)
		return r;
	r = fd_read_all(fd, PROGRAM_LIMIT, ret);
	return r < 0 ? varve_error_set(err, r, "read a seccomp filter") : 0;
}

static int install(const struct sock_fprog *program, unsigned long flags)
{
	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);

	return r < 0 ? -errno : (int)r;
}

int sandbox_filter_listen(const struct buf *program)
{
	const struct sock_fprog fprog = {
		.len = (unsigned short)(program->len / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(void *)program->data,
	};
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* A signal that only interrupts would make the caller start over what we have done. */
	r = install(&fprog,
		    SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	return r == -EINVAL ? install(&fprog, SECCOMP_FILTER_FLAG_NEW_LISTENER) : r;
}
