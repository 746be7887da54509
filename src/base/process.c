/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

/* All that the child needs, made before the fork: after it only async-signal-safe calls are
 * allowed, because other threads may have held the allocator's lock. */
struct launch {
	const struct process_spec *spec;
	const char *program; /* argv[0], found */
	char *const *env;
	int standard[3]; /* what becomes 0, 1, 2 */
	int error_fd; /* takes the errno of a failed exec */
	pid_t parent;
};

static int reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &action, NULL); /* fails for SIGKILL, SIGSTOP and libc's own */
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int keep_open(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags < 0 ? -1 : fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
}

static int place_standard_fds(struct launch *l)
{
	/* First out of the way: one of them may lie where another has to go. */
	for (int i = 0; i < 3; i++)
		if (l->standard[i] != i && l->standard[i] < 3) {
			l->standard[i] = fcntl(l->standard[i], F_DUPFD_CLOEXEC, 3);
			if (l->standard[i] < 0)
				return -1;
		}
	for (int i = 0; i < 3; i++) {
		if (l->standard[i] == i ? keep_open(i) < 0 && i == 0 : dup2(l->standard[i], i) < 0)
			return -1;
	}
	return 0;
}

static int prepare_child(struct launch *l)
{
	l->error_fd = fcntl(l->error_fd, F_DUPFD_CLOEXEC, 3);
	if (l->error_fd < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -1;
	/* The parent may have died before prctl. */
	if (getppid() != l->parent)
		_exit(127);
	if (place_standard_fds(l) < 0)
		return -1;
	for (const int *fd = l->spec->keep_fds; fd && *fd >= 0; fd++)
		if (keep_open(*fd) < 0)
			return -1;
	return reset_signals();
}

static void run_child(struct launch *l) __attribute__((noreturn));
static void run_child(struct launch *l)
{
	int failure;

	if (prepare_child(l) == 0 &&
	    (!l->spec->before_exec || l->spec->before_exec(l->spec->cookie) == 0))
		(void)execve(l->program, (char *const *)(uintptr_t)l->spec->argv, l->env);
	failure = errno;
	(void)fd_write_all(l->error_fd, &failure, sizeof(failure));
	_exit(127);
}

/* Signals stay blocked over the fork: a handler of ours must not run in the child. */
static pid_t fork_launch(struct launch *l)
{
	sigset_t all, before;
	pid_t pid;
	int saved;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		run_child(l);
	saved = errno;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid;
}

/* Waits for the exec: the pipe closes by it, or brings the errno of its failure. */
static int await_exec(int fd, pid_t pid)
{
	int failure = 0;

	if (fd_read_full(fd, &failure, sizeof(failure)) != (ssize_t)sizeof(failure))
		return 0;
	(void)process_wait(pid);
	return -failure;
}

static int launch(struct launch *l, pid_t *ret_pid)
{
	CLEANUP(fd_close) int read_end = -1;
	CLEANUP(fd_close) int write_end = -1;
	int ends[2], r;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	read_end = ends[0];
	write_end = ends[1];
	l->error_fd = write_end;
	l->parent = getpid();
	pid = fork_launch(l);
	if (pid < 0)
		return -errno;
	fd_close(&write_end);
	r = await_exec(read_end, pid);
	if (r == 0)
		*ret_pid = pid;
	return r;
}

pid_t process_fork_pipe(int *ret_end, struct varve_error *err)
{
	CLEANUP(fd_close) int read_end = -1;
	CLEANUP(fd_close) int write_end = -1;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return varve_error_set(err, -errno, "make a pipe");
	read_end = ends[0];
	write_end = ends[1];
	pid = fork();
	if (pid < 0)
		return varve_error_set(err, -errno, "start a process");
	*ret_end = steal_fd(pid == 0 ? &write_end : &read_end);
	return pid;
}

int process_start(const struct process_spec *spec, pid_t *ret_pid, struct varve_error *err)
{
	CLEANUP(free_ptr) char *program = process_find(spec->argv[0]);
	CLEANUP(fd_close) int null_fd = -1;
	struct launch l = {
		.spec = spec,
		.program = program,
		.env = spec->env ? (char *const *)(uintptr_t)spec->env : environ,
		.standard = {spec->stdin_fd, spec->stdout_fd < 0 ? 1 : spec->stdout_fd,
			     spec->stderr_fd < 0 ? 2 : spec->stderr_fd},
	};
	int r;

	if (!program)
		return varve_error_set(err, -ENOENT, "start %s", spec->argv[0]);
	if (spec->stdin_fd < 0) {
		null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (null_fd < 0)
			return varve_error_set(err, -errno, "open /dev/null");
		l.standard[0] = null_fd;
	}
	r = launch(&l, ret_pid);
	if (r < 0)
		return varve_error_set(err, r, "start %s", spec->argv[0]);
	return 0;
}

int process_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool is_program(const char *path)
{
	struct stat st;

	/* Directories may be entered, which access calls executable. */
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *process_find(const char *name)
{
	const char *path = getenv("PATH");
	CLEANUP(free_ptr) char *list = NULL;
	size_t len;

	if (strchr(name, '/'))
		return is_program(name) ? xstrdup(name) : NULL;
	list = xasprintf("%s:/usr/sbin:/sbin", path ? path : "/usr/local/bin:/usr/bin:/bin");
	for (const char *dir = list; *dir; dir += len + (dir[len] == ':')) {
		char *program;

		len = strcspn(dir, ":");
		program = xasprintf("%.*s/%s", (int)len, dir, name);
		if (dir[0] == '/' && is_program(program))
			return program;
		free(program);
	}
	return NULL;
}
