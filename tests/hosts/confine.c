/* SPDX-License-Identifier: Apache-2.0
 * Runs a command as a container would run it, without one:
 *
 *	confine [OPTION]... -- COMMAND...
 *
 *	--docker	the capabilities and the seccomp filter that Docker gives by default (root
 *keeps 14 capabilities, an ordinary uid has none)
 *	--no-namespaces	a filter that only answers ENOSPC to a new user namespace, as the sysctl
 *			user.max_user_namespaces=0 does
 *	--listener held|denied	a seccomp listener is installed already (a second one is EBUSY), or
 *the filter forbids one (EPERM)
 *	--ids UID:GID	without any further group
 *
 * Filters come last, so that nothing of the above is in their way. Exit status 125: the situation
 * could not be made. */
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include "base/cleanup.h"

enum { CANNOT = 125, CAPABILITIES = 64, KEPT_FD = 199 };
/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

static void fail(const char *what) __attribute__((noreturn));
static void fail(const char *what)
{
	fprintf(stderr, "confine: %s: %s\n", what, strerror(errno));
	exit(CANNOT);
}

static void require(int r, const char *what)
{
	if (r >= 0)
		return;
	errno = -r;
	fail(what);
}

/* --- capabilities ------------------------------------------------------------------------------
 */

static const int kept[] = {
	CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID,           CAP_FOWNER,
	CAP_MKNOD,   CAP_NET_RAW,      CAP_SETGID,           CAP_SETUID,
	CAP_SETFCAP, CAP_SETPCAP,      CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT,
	CAP_KILL,    CAP_AUDIT_WRITE,
};

static int is_kept(int capability)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kept); i++)
		if (kept[i] == capability)
			return 1;
	return 0;
}

static void keep_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	int i;

	for (i = 0; i < CAPABILITIES; i++)
		if (!is_kept(i) && prctl(PR_CAPBSET_DROP, i) < 0 && errno != EINVAL)
			fail("drop a capability");
	for (i = 0; i < CAPABILITIES; i++)
		if (is_kept(i))
			data[i / 32].effective |= UINT32_C(1) << (i % 32);
	for (i = 0; i < 2; i++)
		data[i].permitted = data[i].effective;
	if (syscall(SYS_capset, &header, data) < 0)
		fail("set capabilities");
}

/* --- filters -----------------------------------------------------------------------------------
 */

/* What Docker's profile denies to a container without CAP_SYS_ADMIN and the like. The profile is a
 * list of what is allowed; these are the calls of interest that are not on it. */
static const char *const denied[] = {
	"acct",
	"add_key",
	"bpf",
	"clock_adjtime",
	"clock_settime",
	"create_module",
	"delete_module",
	"fanotify_init",
	"finit_module",
	"fsconfig",
	"fsmount",
	"fsopen",
	"fspick",
	"get_mempolicy",
	"init_module",
	"io_uring_enter",
	"io_uring_register",
	"io_uring_setup",
	"ioperm",
	"iopl",
	"kcmp",
	"kexec_file_load",
	"kexec_load",
	"keyctl",
	"lookup_dcookie",
	"mbind",
	"mount",
	"mount_setattr",
	"move_mount",
	"move_pages",
	"name_to_handle_at",
	"nfsservctl",
	"open_by_handle_at",
	"open_tree",
	"perf_event_open",
	"pivot_root",
	"process_vm_writev",
	"quotactl",
	"quotactl_fd",
	"reboot",
	"request_key",
	"set_mempolicy",
	"setdomainname",
	"sethostname",
	"setns",
	"settimeofday",
	"stime",
	"swapoff",
	"swapon",
	"sysfs",
	"syslog",
	"umount",
	"umount2",
	"unshare",
	"userfaultfd",
	"ustat",
	"vhangup",
	"vm86",
	"vm86old",
};

static void deny(scmp_filter_ctx filter, const char *name, int error)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number != __NR_SCMP_ERROR)
		require(seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)error), number, 0), name);
}

/* The C library falls back from clone3, whose flags no filter can see, when that is missing. */
static void deny_clone(scmp_filter_ctx filter, uint64_t flags, int error)
{
	int bit;

	deny(filter, "clone3", ENOSYS);
	for (bit = 0; bit < 32; bit++) {
		uint64_t flag = UINT64_C(1) << bit;

		if (flags & flag)
			require(seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)error),
						 SCMP_SYS(clone), 1,
						 SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag)),
				"clone");
	}
}

static void add_docker(scmp_filter_ctx filter)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(denied); i++)
		deny(filter, denied[i], EPERM);
	deny_clone(filter, NAMESPACES, EPERM);
	require(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
				 SCMP_A0(SCMP_CMP_EQ, AF_VSOCK, 0)),
		"socket");
}

static void add_no_namespaces(scmp_filter_ctx filter)
{
	deny_clone(filter, CLONE_NEWUSER, ENOSPC);
	require(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSPC), SCMP_SYS(unshare), 1,
				 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER)),
		"unshare");
}

static void add_no_listener(scmp_filter_ctx filter)
{
	require(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 2,
				 SCMP_A0(SCMP_CMP_EQ, SECCOMP_SET_MODE_FILTER, 0),
				 SCMP_A1(SCMP_CMP_MASKED_EQ, SECCOMP_FILTER_FLAG_NEW_LISTENER,
					 SECCOMP_FILTER_FLAG_NEW_LISTENER)),
		"seccomp");
}

/* The listener of a call that nobody makes; it must stay open in all that follows. */
static void hold_listener(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int fd;

	if (!filter)
		fail("make a filter");
	require(seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(swapoff), 0), "swapoff");
	require(seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0), "no_new_privs");
	require(seccomp_load(filter), "load a filter with a listener");
	fd = seccomp_notify_fd(filter);
	require(fd, "the listener");
	/* Without close-on-exec, and where no program looks for it. */
	if (dup2(fd, KEPT_FD) < 0)
		fail("keep the listener");
	seccomp_release(filter);
}

struct situation {
	int docker, no_namespaces, has_ids;
	const char *listener; /* NULL, "held", "denied" */
	uid_t uid;
	gid_t gid;
};

/* With NO_NEW_PRIVS only where nothing else allows it: newuidmap needs its set-uid bit. */
static void filter_calls(const struct situation *s)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter)
		fail("make a filter");
	require(seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0), "no_new_privs");
	if (s->docker)
		add_docker(filter);
	if (s->no_namespaces)
		add_no_namespaces(filter);
	if (s->listener && strcmp(s->listener, "denied") == 0)
		add_no_listener(filter);
	require(seccomp_load(filter), "load a filter");
	seccomp_release(filter);
}

static void set_ids(const struct situation *s)
{
	if (!s->has_ids)
		return;
	if (setgroups(0, NULL) < 0 || setresgid(s->gid, s->gid, s->gid) < 0 ||
	    setresuid(s->uid, s->uid, s->uid) < 0)
		fail("change ids");
}

static const char *next(char ***argv)
{
	if (!*++*argv) {
		errno = EINVAL;
		fail("a value is missing");
	}
	return **argv;
}

static char **read_options(char **argv, struct situation *ret)
{
	for (argv++; *argv && strcmp(*argv, "--") != 0; argv++) {
		if (strcmp(*argv, "--docker") == 0)
			ret->docker = 1;
		else if (strcmp(*argv, "--no-namespaces") == 0)
			ret->no_namespaces = 1;
		else if (strcmp(*argv, "--listener") == 0)
			ret->listener = next(&argv);
		// NOLINTNEXTLINE(cert-err34-c): the tests write it
		else if (strcmp(*argv, "--ids") == 0 &&
			 sscanf(next(&argv), "%u:%u", &ret->uid, &ret->gid) == 2)
			ret->has_ids = 1;
		else
			break;
	}
	if (!*argv || strcmp(*argv, "--") != 0 || !argv[1]) {
		errno = EINVAL;
		fail("usage: confine [OPTION]... -- COMMAND...");
	}
	return argv + 1;
}

int main(int argc, char **argv)
{
	struct situation s = {0};
	char **command = read_options(argv, &s);

	(void)argc;
	/* Root loads filters before its capabilities and ids go: an ordinary uid could do it with
	 * NO_NEW_PRIVS only. */
	if (s.listener && strcmp(s.listener, "held") == 0)
		hold_listener();
	if (s.docker || s.no_namespaces || s.listener)
		filter_calls(&s);
	if (s.docker)
		keep_capabilities();
	set_ids(&s);
	execvp(command[0], command);
	fail(command[0]);
}
