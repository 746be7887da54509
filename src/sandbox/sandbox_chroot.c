/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_chroot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/process.h"
#include "sandbox/sandbox_filter.h"
#include "sandbox/sandbox_furnish.h"
#include "sandbox/supervise.h"

/* What the keeper says at its end. */
struct outcome {
	int result; /* 0 or an error code */
	int status; /* of the command */
	char text[VARVE_ERROR_TEXT];
};

/* For the signal handler: the caller is gone, so the command has to end. */
static volatile sig_atomic_t running, orphaned;

static void on_orphaned(int number)
{
	(void)number;
	orphaned = 1;
	if (running > 0)
		(void)kill((pid_t)running, SIGKILL);
}

/* Ends when the command does. */
static int watch_over(int socket, pid_t pid, const struct owners *owners, struct varve_error *err)
{
	CLEANUP(fd_close) int listener = -1;

	if (socket < 0)
		return 0;
	listener = fd_receive(socket);
	if (listener < 0)
		return varve_error_set(err, listener, "take over the listener of the command");
	return supervise(listener, pid, owners, err);
}

static int await_command(const struct sandbox_chroot *chroot, int socket, int *ret_status,
			 struct varve_error *err)
{
	pid_t pid = -1;
	int r = sandbox_chroot_start(chroot, &pid, err), status;

	if (r < 0)
		return r;
	running = pid;
	if (orphaned)
		(void)kill(pid, SIGKILL);
	r = watch_over(socket, pid, &chroot->host->owners, err);
	if (r < 0)
		(void)kill(pid, SIGKILL);
	status = process_wait(pid);
	running = 0;
	if (r == 0 && status < 0)
		r = varve_error_set(err, status, "wait for the command");
	*ret_status = status;
	return r;
}

static int run_filtered(const struct sandbox_chroot *chroot, int *ret_status,
			struct varve_error *err)
{
	enum sandbox_watch watch = sandbox_watch(chroot->host, chroot->spec);
	CLEANUP(buf_release) struct buf program = BUF_INIT;
	struct sandbox_chroot filtered = *chroot;
	CLEANUP(fd_close) int ours = -1;
	CLEANUP(fd_close) int theirs = -1;
	int ends[2], r = sandbox_filter_make(watch, 0, &program, err);

	if (r < 0)
		return r;
	if (chroot->host->listener) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
			return varve_error_set(err, -errno, "make a socket");
		ours = ends[0];
		theirs = ends[1];
	}
	filtered.program = &program;
	filtered.listener_fd = theirs;
	return await_command(&filtered, ours, ret_status, err);
}

static int keep(const struct sandbox_chroot *chroot, int *ret_status, struct varve_error *err)
{
	CLEANUP(sandbox_furniture_release)
	struct sandbox_furniture furniture = SANDBOX_FURNITURE_INIT;
	struct varve_error later = {0};
	int r, reaped, cleared;

	r = sandbox_furnish(chroot->host, chroot->spec, chroot->standard[2], &furniture, err);
	if (r == 0 && !orphaned)
		r = run_filtered(chroot, ret_status, err);
	/* Processes that still run could change the tree behind our back. */
	reaped = sandbox_reap_all();
	if (reaped < 0 && r == 0)
		r = varve_error_set(err, -VARVE_E_HOST,
				    "end what the command left running: no /proc here: %s",
				    strerror(-reaped));
	cleared = sandbox_clear(&furniture, &later);
	if (cleared < 0 && r == 0) {
		r = cleared;
		if (err)
			*err = later;
	}
	return r;
}

static void run_keeper(const struct sandbox_chroot *chroot, pid_t caller, int report)
	__attribute__((noreturn));
static void run_keeper(const struct sandbox_chroot *chroot, pid_t caller, int report)
{
	const struct sigaction action = {.sa_handler = on_orphaned};
	struct outcome outcome = {0};
	struct varve_error err = {0};

	(void)sigaction(SIGTERM, &action, NULL);
	/* It lives on when the caller is killed, to clean up; the terminal's signals are for the
	 * command. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != caller)
		_exit(1);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		outcome.result = varve_error_set(&err, -errno, "become a reaper of orphans");
	else
		outcome.result = keep(chroot, &outcome.status, &err);
	memcpy(outcome.text, err.text, sizeof(outcome.text));
	(void)fd_write_all(report, &outcome, sizeof(outcome));
	_exit(0);
}

static int hear(int report, int *ret_status, struct varve_error *err)
{
	struct outcome outcome;

	if (fd_read_full(report, &outcome, sizeof(outcome)) != (ssize_t)sizeof(outcome))
		return varve_error_set(err, -VARVE_E_STEP,
				       "what keeps the command was killed before its end");
	if (outcome.result < 0) {
		if (err) {
			err->code = outcome.result;
			memcpy(err->text, outcome.text, sizeof(err->text));
		}
		return outcome.result;
	}
	*ret_status = outcome.status;
	return 0;
}

static int run(const struct sandbox_chroot *chroot, int *ret_status, struct varve_error *err)
{
	CLEANUP(fd_close) int report = -1;
	pid_t caller = getpid(), pid = process_fork_pipe(&report, err);
	int r;

	if (pid < 0)
		return pid;
	if (pid == 0)
		run_keeper(chroot, caller, report);
	r = hear(report, ret_status, err);
	(void)process_wait(pid);
	return r;
}

int sandbox_chroot_run(const struct sandbox_host *host, const struct sandbox_spec *spec,
		       const int standard[3], int *ret_status, struct varve_error *err)
{
	CLEANUP(fd_close) int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct sandbox_chroot chroot = {
		host, spec, {standard[0], standard[1], standard[2]}, NULL, -1};
	int i;

	if (null_fd < 0)
		return varve_error_set(err, -errno, "open /dev/null");
	if (standard[0] < 0)
		chroot.standard[0] = null_fd;
	for (i = 1; i < 3; i++)
		if (standard[i] < 0)
			chroot.standard[i] = i;
	return run(&chroot, ret_status, err);
}
