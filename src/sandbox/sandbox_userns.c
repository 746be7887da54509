/* SPDX-License-Identifier: Apache-2.0
 * A process W in its own namespaces. Nobody in a new user namespace may write a map with many ids,
 * so W forks two helpers that stay outside; when W is in the namespace they become newuidmap and
 * newgidmap, which are privileged. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/process.h"
#include "sandbox/sandbox_cause.h"

enum { SETUP_FAILED = 125, HELPER_TEXT = 512, HELPERS = 2, ARGUMENT = 16 };

struct helper {
	pid_t pid;
	int go; /* one byte starts it; closing it ends it */
	int text; /* what it says on stderr */
};

static void helper_close(struct helper *helper)
{
	fd_close(&helper->go);
	fd_close(&helper->text);
}

/* Runs in the helper: program PID 0 OURS 1 1 FIRST COUNT */
static void become_map_program(const char *program, pid_t target, uint32_t ours,
			       const struct sandbox_range *range)
{
	char text[4][ARGUMENT];
	const char *argv[] = {program, text[0], "0", text[1], "1", "1", text[2], text[3], NULL};

	(void)snprintf(text[0], ARGUMENT, "%d", target);
	(void)snprintf(text[1], ARGUMENT, "%u", ours);
	(void)snprintf(text[2], ARGUMENT, "%u", range->first);
	(void)snprintf(text[3], ARGUMENT, "%u", range->count);
	execv(program, (char *const *)(uintptr_t)argv);
	dprintf(STDERR_FILENO, "%s: %s", program, strerror(errno));
}

static int helper_start(const char *program, uint32_t ours, const struct sandbox_range *range,
			struct helper *ret)
{
	CLEANUP(fd_close) int go_read = -1;
	CLEANUP(fd_close) int text_write = -1;
	int go[2], text[2];
	pid_t target = getpid();
	char byte;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	go_read = go[0];
	ret->go = go[1];
	if (pipe2(text, O_CLOEXEC) < 0)
		return -errno;
	ret->text = text[0];
	text_write = text[1];
	ret->pid = fork();
	if (ret->pid < 0)
		return -errno;
	if (ret->pid > 0)
		return 0;
	/* Otherwise our own copy of the writing end keeps the read waiting when W is gone. */
	fd_close(&ret->go);
	if (dup2(text_write, STDERR_FILENO) >= 0 && read(go_read, &byte, 1) == 1)
		become_map_program(program, target, ours, range);
	_exit(127);
}

static int helper_finish(struct helper *helper, const char *program, struct varve_error *err)
{
	char text[HELPER_TEXT + 1];
	ssize_t len;
	int status;

	len = fd_read_full(helper->text, text, HELPER_TEXT);
	status = process_wait(helper->pid);
	if (status == 0)
		return 0;
	text[len < 0 ? 0 : len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return varve_error_set(err, -VARVE_E_HOST, "%s refuses the map of ids: %s", program,
			       *text ? text : "no reason given");
}

static int refused(const struct sandbox_host *host, int error, const char *what,
		   struct varve_error *err)
{
	struct sandbox_settings settings;
	struct sandbox_cause cause;

	sandbox_settings_read(&settings);
	cause = sandbox_cause_find(&settings, error, host->owners.mode == OWNER_ROOT);
	(void)varve_error_set(err, -VARVE_E_HOST, "%s: %s: %s", what, strerror(error), cause.why);
	varve_error_hint(err, "try: %s", cause.cure);
	return -VARVE_E_HOST;
}

static int start_helpers(const struct sandbox_host *host, struct helper helpers[HELPERS],
			 struct varve_error *err)
{
	int r = helper_start(host->newuidmap, host->uid, &host->uids, &helpers[0]);

	if (r == 0)
		r = helper_start(host->newgidmap, host->gid, &host->gids, &helpers[1]);
	if (r < 0)
		return varve_error_set(err, r, "start newuidmap and newgidmap");
	return 0;
}

static int enter_with_helpers(const struct sandbox_host *host, struct helper helpers[HELPERS],
			      struct varve_error *err)
{
	int i, r = start_helpers(host, helpers, err);

	if (r < 0)
		return r;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return refused(host, errno, "make a user namespace", err);
	for (i = 0; i < HELPERS; i++)
		if (fd_write_all(helpers[i].go, "", 1) < 0)
			return varve_error_set(err, -VARVE_E_HOST, "newuidmap ended too early");
	r = helper_finish(&helpers[0], host->newuidmap, err);
	if (r == 0)
		r = helper_finish(&helpers[1], host->newgidmap, err);
	return r;
}

static int enter_user_namespace(const struct sandbox_host *host, struct varve_error *err)
{
	struct helper helpers[HELPERS] = {{-1, -1, -1}, {-1, -1, -1}};
	int i, r = enter_with_helpers(host, helpers, err);

	for (i = 0; i < HELPERS; i++)
		helper_close(&helpers[i]);
	return r;
}

static int write_setting(const char *path, const char *text)
{
	CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

/* Whoever makes a namespace may map his own id to root in it, and no other. */
static int enter_with_one_id(const struct sandbox_host *host, struct varve_error *err)
{
	char uids[ARGUMENT * 2], gids[ARGUMENT * 2];
	int r;

	(void)snprintf(uids, sizeof(uids), "0 %u 1\n", host->uid);
	(void)snprintf(gids, sizeof(gids), "0 %u 1\n", host->gid);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return refused(host, errno, "make a user namespace", err);
	r = write_setting("/proc/self/setgroups", "deny");
	if (r == 0 || r == -ENOENT)
		r = write_setting("/proc/self/uid_map", uids);
	if (r == 0)
		r = write_setting("/proc/self/gid_map", gids);
	return r < 0 ? refused(host, -r, "map an id into a user namespace", err) : 0;
}

static int enter_namespaces(const struct sandbox_host *host, struct varve_error *err)
{
	switch (host->owners.mode) {
	case OWNER_SUBUID:
		return enter_user_namespace(host, err);
	case OWNER_ONE:
		return enter_with_one_id(host, err);
	case OWNER_ROOT:
		break;
	}
	return unshare(CLONE_NEWNS) < 0 ? refused(host, errno, "make a mount namespace", err) : 0;
}

static int become_root(const struct sandbox_host *host, struct varve_error *err)
{
	/* Groups from outside would be ids without a name inside, and differ between hosts. */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return refused(host, errno, "drop groups", err);
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return refused(host, errno, "become root of the namespace", err);
	return 0;
}

static int set_up(const struct sandbox_host *host, struct varve_error *err)
{
	int r;

	r = enter_namespaces(host, err);
	if (r < 0)
		return r;
	r = become_root(host, err);
	if (r < 0)
		return r;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return refused(host, errno, "make mounts private", err);
	return 0;
}

/* Handlers of the parent mean nothing here. What it ignores stays ignored. */
static void reset_signals(void)
{
	struct sigaction action;
	sigset_t none;
	int number;

	for (number = 1; number < NSIG; number++)
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN &&
		    action.sa_handler != SIG_DFL)
			(void)signal(number, SIG_DFL);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)signal(SIGINT, SIG_IGN);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A change of credentials disarms it, and the parent may be gone before it is armed. */
static void die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(SETUP_FAILED);
}

/* One line, whatever the error holds. */
static void report(int fd, struct varve_error *err)
{
	char *end;

	while ((end = strchr(err->text, '\n')))
		*end = ';';
	dprintf(fd < 0 ? STDERR_FILENO : fd, "%s\n", err->text);
}

/* True when nobody holds the other end of the pipe any more. */
static bool has_hung_up(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0;
}

/* fn runs as the init of a process namespace: whatever it started, however far bwrap has come with
 * its own precautions, dies with it, and it dies with W. getppid() cannot tell it that W is gone (W
 * is nobody in here), the end of a pipe that W holds can. */
static int run_as_init(int (*fn)(void *cookie), void *cookie, struct varve_error *err)
{
	int alive[2];
	pid_t pid;

	if (pipe2(alive, O_CLOEXEC) < 0 || unshare(CLONE_NEWPID) < 0)
		return varve_error_set(err, -VARVE_E_HOST, "make a process namespace: %s",
				       strerror(errno));
	pid = fork();
	if (pid < 0)
		return varve_error_set(err, -errno, "start a process");
	if (pid > 0) {
		close(alive[0]);
		return process_wait(pid);
	}
	close(alive[1]);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || has_hung_up(alive[0]))
		_exit(SETUP_FAILED);
	/* bwrap looks there for its child, by the number that the child has in here. A container
	 * may refuse; then what has that number outside must do. */
	(void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	_exit(fn(cookie));
}

int sandbox_spawn(const struct sandbox_host *host, int (*fn)(void *cookie), void *cookie,
		  int setup_error_fd, pid_t *ret_pid, struct varve_error *err)
{
	struct varve_error failure = {0};
	pid_t parent = getpid(), pid = fork();
	int status;

	if (pid < 0)
		return varve_error_set(err, -errno, "start a process");
	if (pid > 0) {
		*ret_pid = pid;
		return 0;
	}
	reset_signals();
	die_with(parent);
	if (host->isolation != SANDBOX_BWRAP)
		_exit(fn(cookie));
	status = set_up(host, &failure);
	die_with(parent);
	if (status == 0)
		status = run_as_init(fn, cookie, &failure);
	if (status < 0) {
		report(setup_error_fd, &failure);
		_exit(SETUP_FAILED);
	}
	_exit(status);
}
