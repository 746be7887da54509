/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "sandbox/supervise_call.h"

/* Linux 6.6: caller and supervisor hand the processor over to each other. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
enum { FS_CONFIG_CREATE = 6 /* FSCONFIG_CMD_CREATE of Linux 5.2 */ };

#define HANDLER(name)                                                                              \
	{                                                                                          \
#name, handle_##name                                                               \
	}
static const struct {
	const char *name;
	call_handler handle;
} handlers[] = {
	HANDLER(chown),      HANDLER(lchown),    HANDLER(fchown),     HANDLER(fchownat),
	HANDLER(stat),       HANDLER(lstat),     HANDLER(fstat),      HANDLER(newfstatat),
	HANDLER(statx),      HANDLER(listxattr), HANDLER(llistxattr), HANDLER(flistxattr),
	HANDLER(open),       HANDLER(openat),    HANDLER(openat2),    HANDLER(creat),
	HANDLER(mkdir),      HANDLER(mkdirat),   HANDLER(symlink),    HANDLER(symlinkat),
	HANDLER(mknod),      HANDLER(mknodat),   HANDLER(setuid),     HANDLER(setgid),
	HANDLER(setreuid),   HANDLER(setregid),  HANDLER(setresuid),  HANDLER(setresgid),
	HANDLER(setfsuid),   HANDLER(setfsgid),  HANDLER(setgroups),  HANDLER(getuid),
	HANDLER(geteuid),    HANDLER(getgid),    HANDLER(getegid),    HANDLER(getresuid),
	HANDLER(prctl),      HANDLER(setrlimit), HANDLER(getrlimit),  HANDLER(prlimit64),
	HANDLER(pivot_root), HANDLER(chroot),    HANDLER(setns),      HANDLER(unshare),
	HANDLER(clone),      HANDLER(getresgid), HANDLER(getgroups),
};

call_handler call_find_handler(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
		if (str_equal(handlers[i].name, name))
			return handlers[i].handle;
	return NULL;
}

/* Numbers of our own ABI are looked up in a table; programs of another one are rare. */
enum { NUMBERS = 1024 };
struct dispatch {
	uint32_t native;
	call_handler by_number[NUMBERS];
};

static void dispatch_init(struct dispatch *d)
{
	*d = (struct dispatch){.native = seccomp_arch_native()};
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		int number = seccomp_syscall_resolve_name(handlers[i].name);

		if (number >= 0 && number < NUMBERS)
			d->by_number[number] = handlers[i].handle;
	}
}

static call_handler dispatch_find(const struct dispatch *d, const struct seccomp_data *data)
{
	CLEANUP(free_ptr) char *name = NULL;

	if (data->arch == d->native)
		return data->nr >= 0 && data->nr < NUMBERS ? d->by_number[data->nr] : NULL;
	name = seccomp_syscall_resolve_num_arch(data->arch, data->nr);
	return name ? call_find_handler(name) : NULL;
}

/* --- one call ----------------------------------------------------------------------------------
 */

static void answer(struct supervisor *s, uint64_t id, long result)
{
	struct seccomp_notif_resp response = {.id = id};

	if (result == SUPERVISE_ANSWERED)
		return;
	if (result == SUPERVISE_CONTINUE)
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (result < 0 && result >= -4095)
		response.error = (int)result;
	else
		response.val = result;
	/* ENOENT: the task was killed meanwhile. */
	(void)ioctl(s->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static int serve_one(struct supervisor *s, const struct dispatch *d, struct seccomp_notif *request)
{
	struct call c = {.s = s};
	call_handler handle;

	memset(request, 0, sizeof(*request));
	if (ioctl(s->listener, SECCOMP_IOCTL_NOTIF_RECV, request) < 0)
		return errno == EINTR || errno == ENOENT ? 0 : -errno;
	c.id = request->id;
	c.pid = (pid_t)request->pid;
	for (size_t i = 0; i < ARRAY_SIZE(c.args); i++)
		c.args[i] = request->data.args[i];
	handle = dispatch_find(d, &request->data);
	answer(s, c.id, handle ? handle(&c) : SUPERVISE_CONTINUE);
	return 0;
}

static int serve(struct supervisor *s, int pidfd)
{
	CLEANUP(free_ptr) struct dispatch *d = xcalloc(1, sizeof(*d));
	struct pollfd fds[] = {{.fd = s->listener, .events = POLLIN},
			       {.fd = pidfd, .events = POLLIN}};
	struct seccomp_notif request;
	int r = 0;

	dispatch_init(d);
	(void)ioctl(s->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	while (r == 0 && !(fds[1].revents & POLLIN)) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			r = -errno;
		else if (fds[0].revents & POLLIN)
			r = serve_one(s, d, &request);
		else if (fds[0].revents & POLLHUP)
			fds[0].fd = -1; /* no task is left that could call */
	}
	return r;
}

/* --- surroundings ------------------------------------------------------------------------------
 */

/* Pids of the tasks are those of our own process namespace, which the /proc around us may not be
 * of. */
static int open_proc(void)
{
	CLEANUP(fd_close) int context = (int)syscall(SYS_fsopen, "proc", 1 /* FSOPEN_CLOEXEC */);
	char self[16], own[16];
	ssize_t n;
	int fd = -1;

	if (context >= 0 && syscall(SYS_fsconfig, context, FS_CONFIG_CREATE, NULL, NULL, 0) == 0)
		fd = (int)syscall(SYS_fsmount, context, 1 /* FSMOUNT_CLOEXEC */, 0);
	if (fd >= 0)
		return fd;
	n = readlink("/proc/self", self, sizeof(self) - 1);
	self[n < 0 ? 0 : n] = '\0';
	(void)snprintf(own, sizeof(own), "%d", getpid());
	if (!str_equal(self, own))
		return -EACCES;
	fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int serve_in_proc(struct supervisor *s, int pidfd)
{
	CLEANUP(fd_close) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(fd_close) int directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (root < 0 || directory < 0 || fchdir(s->proc) < 0)
		return -errno;
	r = serve(s, pidfd);
	if (fchdir(root) < 0 || chroot(".") < 0 || fchdir(directory) < 0)
		return -errno;
	return r;
}

int supervise(int listener, pid_t pid, const struct owners *owners, struct varve_error *err)
{
	struct supervisor s = {.listener = listener, .proc = -1, .owners = owners, .first = pid};
	CLEANUP(fd_close) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int r;

	s.proc = open_proc();
	if (pidfd < 0)
		r = -errno;
	else
		r = s.proc < 0 ? s.proc : serve_in_proc(&s, pidfd);
	fd_close(&s.proc);
	ids_table_release(&s.ids);
	return r < 0 ? varve_error_set(err, r, "supervise the command") : 0;
}
