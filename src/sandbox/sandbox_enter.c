/* SPDX-License-Identifier: Apache-2.0
 * The command's own process, from the fork to its exec in the root. */
#include "sandbox/sandbox_chroot.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/strv.h"
#include "sandbox/sandbox_args.h"
#include "sandbox/sandbox_ban.h"
#include "sandbox/sandbox_capability.h"
#include "sandbox/sandbox_filter.h"

enum { STEP_UMASK = 022, NOT_STARTED = 127, GROUPS = 64 };

/* What the child says when it cannot go on. */
enum stage {
	STAGE_PREPARE,
	STAGE_ROOT,
	STAGE_WORKDIR,
	STAGE_IDS,
	STAGE_FILTER,
	STAGE_EXEC,
};
struct failure {
	enum stage stage;
	int error; /* errno */
};

static int place_standard(int standard[3])
{
	int i;

	/* First out of the way: one of them may lie where another has to go. */
	for (i = 0; i < 3; i++)
		if (standard[i] != i && standard[i] < 3) {
			standard[i] = fcntl(standard[i], F_DUPFD_CLOEXEC, 3);
			if (standard[i] < 0)
				return -errno;
		}
	for (i = 0; i < 3; i++)
		if (standard[i] == i ? fcntl(i, F_SETFD, 0) < 0 : dup2(standard[i], i) < 0)
			return -errno;
	return 0;
}

static void reset_signals(void)
{
	sigset_t none;
	int number;

	for (number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL); /* fails for SIGKILL, SIGSTOP and libc's own */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int prepare(const struct sandbox_chroot *chroot, pid_t keeper)
{
	int standard[] = {chroot->standard[0], chroot->standard[1], chroot->standard[2]};

	reset_signals();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (getppid() != keeper)
		_exit(NOT_STARTED);
	if (!chroot->spec->terminal)
		(void)setsid();
	(void)umask(STEP_UMASK);
	return place_standard(standard);
}

static int enter_root(const char *root)
{
	CLEANUP(fd_close) int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fchdir(fd) < 0 || chroot(".") < 0 ? -errno : 0;
}

static int enter_workdir(const char *workdir)
{
	CLEANUP(fd_close)
	int fd = open(workdir ? workdir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fchdir(fd) < 0 ? -errno : 0;
}

static int set_groups(const struct strv *groups)
{
	gid_t list[GROUPS];
	size_t i, count = groups ? groups->count : 0;

	if (count > GROUPS)
		return -E2BIG;
	for (i = 0; i < count; i++)
		list[i] = (gid_t)strtoul(groups->items[i], NULL, 10);
	return setgroups(count, list) < 0 ? -errno : 0;
}

/* As bubblewrap and setpriv leave it: set-user-id programs give nothing. With one id the kernel
 * knows no other user: setpriv of the image asks the supervisor for one. */
static int set_ids(const struct sandbox_chroot *chroot)
{
	const struct sandbox_spec *spec = chroot->spec;
	bool real = chroot->host->owners.mode != OWNER_ONE;
	int r = sandbox_limit_capabilities();

	if (r == 0 && real)
		r = set_groups(spec->groups);
	if (r == 0 && real &&
	    (setresgid(spec->gid, spec->gid, spec->gid) < 0 ||
	     setresuid(spec->uid, spec->uid, spec->uid) < 0))
		r = -errno;
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	return r;
}

/* The listener goes to the keeper, who supervises. */
static int install_listener(const struct sandbox_chroot *chroot)
{
	CLEANUP(fd_close) int listener = sandbox_filter_listen(chroot->program);

	return listener < 0 ? listener : fd_send(chroot->listener_fd, listener);
}

static int install_filter(const struct buf *program)
{
	const struct sock_fprog fprog = {
		.len = (unsigned short)(program->len / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(void *)program->data,
	};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) < 0 ? -errno : 0;
}

static int filter_calls(const struct sandbox_chroot *chroot)
{
	int r = chroot->spec->network ? 0 : sandbox_ban_sockets();

	if (r < 0)
		return r;
	return chroot->listener_fd >= 0 ? install_listener(chroot)
					: install_filter(chroot->program);
}

/* As execvpe(3), with the PATH of the command's own environment. */
static int execute(const struct sandbox_spec *spec, const struct strv *argv)
{
	const char *const empty[] = {NULL};
	char *const *environment = spec->environment && spec->environment->items
					   ? spec->environment->items
					   : (char *const *)(uintptr_t)empty;
	const char *name = argv->items[0];
	const char *path = spec->environment ? strv_getenv(spec->environment, "PATH") : NULL;
	CLEANUP(free_ptr) char *list = xstrdup(path ? path : "/usr/bin:/bin");
	char *rest = list, *directory;
	int error = ENOENT;

	if (strchr(name, '/')) {
		(void)execve(name, argv->items, environment);
		return -errno;
	}
	while ((directory = strsep(&rest, ":"))) {
		CLEANUP(free_ptr) char *full = path_join(directory, name);

		(void)execve(full, argv->items, environment);
		if (errno != ENOENT && errno != ENOTDIR)
			error = errno;
	}
	return -error;
}

static void run_child(const struct sandbox_chroot *chroot, const struct strv *argv, pid_t keeper,
		      int report) __attribute__((noreturn));
static void run_child(const struct sandbox_chroot *chroot, const struct strv *argv, pid_t keeper,
		      int report)
{
	struct failure failure = {STAGE_PREPARE, 0};
	int r = prepare(chroot, keeper);

	if (r == 0) {
		failure.stage = STAGE_ROOT;
		r = enter_root(chroot->spec->root);
	}
	if (r == 0) {
		failure.stage = STAGE_WORKDIR;
		r = enter_workdir(chroot->spec->workdir);
	}
	if (r == 0) {
		failure.stage = STAGE_IDS;
		r = set_ids(chroot);
	}
	if (r == 0) {
		failure.stage = STAGE_FILTER;
		r = filter_calls(chroot);
	}
	if (r == 0) {
		failure.stage = STAGE_EXEC;
		r = execute(chroot->spec, argv);
	}
	failure.error = -r;
	(void)fd_write_all(report, &failure, sizeof(failure));
	_exit(NOT_STARTED);
}

static int explain(const struct failure *failure, const struct sandbox_spec *spec,
		   struct varve_error *err)
{
	const char *why = strerror(failure->error), *name = spec->argv->items[0];

	switch (failure->stage) {
	case STAGE_EXEC:
		return varve_error_set(err,
				       failure->error == ENOENT ? -VARVE_E_HOST : -VARVE_E_STEP,
				       "start %s: %s", name, why);
	case STAGE_WORKDIR:
		return varve_error_set(err, -VARVE_E_STEP, "working directory %s: %s",
				       spec->workdir, why);
	case STAGE_ROOT:
		return varve_error_set(err, -VARVE_E_HOST, "chroot to %s: %s", spec->root, why);
	case STAGE_IDS:
		return varve_error_set(err, -VARVE_E_HOST, "give up capabilities, become %u:%u: %s",
				       spec->uid, spec->gid, why);
	case STAGE_FILTER:
		return varve_error_set(err, -VARVE_E_HOST, "install a seccomp filter: %s", why);
	case STAGE_PREPARE:
		break;
	}
	return varve_error_set(err, -VARVE_E_HOST, "prepare a process: %s", why);
}

int sandbox_chroot_start(const struct sandbox_chroot *chroot, pid_t *ret_pid,
			 struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(fd_close) int report = -1;
	struct failure failure;
	pid_t keeper = getpid(), pid;

	if (chroot->host->owners.mode == OWNER_ONE)
		sandbox_command(chroot->spec, &argv);
	else
		strv_extend(&argv, chroot->spec->argv);
	pid = process_fork_pipe(&report, err);
	if (pid < 0)
		return pid;
	if (pid == 0)
		run_child(chroot, &argv, keeper, report);
	if (fd_read_full(report, &failure, sizeof(failure)) == (ssize_t)sizeof(failure)) {
		(void)process_wait(pid);
		return explain(&failure, chroot->spec, err);
	}
	*ret_pid = pid;
	return 0;
}
