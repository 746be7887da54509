/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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
#include "sandbox/sandbox_chroot.h"
#include "sandbox/sandbox_filter.h"
#include "sandbox/supervise.h"

enum { STATUS_TEXT = 4096, LINK_TEXT = 1024, STEP_UMASK = 022, HOST_FILES = 2 };

struct run {
	const struct owners *owners;
	int arguments; /* a file in memory that bwrap reads */
	int filter; /* another one: a program for bwrap to install; -1: it inherits ours */
	struct buf program; /* which is this */
	int listener_read, listener_write; /* a socket that brings the program's listener */
	int status_read, status_write;
	int standard[3];
};

static void run_release(struct run *run)
{
	fd_close(&run->arguments);
	fd_close(&run->filter);
	fd_close(&run->status_read);
	fd_close(&run->status_write);
	fd_close(&run->listener_read);
	fd_close(&run->listener_write);
	buf_release(&run->program);
}

static int write_arguments(const struct strv *options, int *ret_fd)
{
	CLEANUP(fd_close) int fd = memfd_create("varve-arguments", MFD_CLOEXEC);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	size_t i;
	int r;

	if (fd < 0)
		return -errno;
	for (i = 0; i < options->count; i++)
		buf_add(&text, options->items[i], strlen(options->items[i]) + 1);
	r = fd_write_all(fd, buf_text(&text), text.len);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

enum sandbox_watch sandbox_watch(const struct sandbox_host *host, const struct sandbox_spec *spec)
{
	if (!host->listener)
		return host->owners.mode == OWNER_ONE ? WATCH_FLAT : WATCH_NOTHING;
	if (host->owners.mode != OWNER_ONE)
		return spec->devices ? WATCH_SEEN_DEVICES : WATCH_DEVICES;
	return spec->fast ? WATCH_OWNERS : WATCH_ALL;
}

enum sandbox_loss sandbox_loss(const struct sandbox_host *host, bool fast)
{
	switch (sandbox_watch(host, &(struct sandbox_spec){.fast = fast})) {
	case WATCH_FLAT:
		return SANDBOX_LOSES_OWNERS;
	case WATCH_OWNERS:
		return SANDBOX_HIDES_OWNERS;
	case WATCH_NOTHING:
	case WATCH_DEVICES:
	case WATCH_SEEN_DEVICES:
	case WATCH_ALL:
	case WATCH_KINDS:
		break;
	}
	return SANDBOX_LOSES_NOTHING;
}

static int prepare_filter(const struct sandbox_host *host, const struct sandbox_spec *spec,
			  struct run *run, struct varve_error *err)
{
	enum sandbox_watch watch = sandbox_watch(host, spec);
	int ends[2];

	if (!host->listener)
		return sandbox_filter_open(watch, &run->filter, err);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return varve_error_set(err, -errno, "make a socket");
	run->listener_read = ends[0];
	run->listener_write = ends[1];
	return sandbox_filter_make(watch, 0, &run->program, err);
}

static int prepare(const struct sandbox_host *host, const struct sandbox_spec *spec,
		   struct run *run, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv options = STRV_INIT;
	int ends[2], r;

	sandbox_options(spec, &options);
	r = write_arguments(&options, &run->arguments);
	if (r < 0)
		return varve_error_set(err, r, "make a file in memory");
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return varve_error_set(err, -errno, "make a pipe");
	run->status_read = ends[0];
	run->status_write = ends[1];
	return prepare_filter(host, spec, run, err);
}

/* Runs in the child that becomes bwrap: bwrap's own --seccomp gives no listener. */
static int install_filter(void *cookie)
{
	const struct run *run = cookie;
	int listener = sandbox_filter_listen(&run->program), r;

	if (listener >= 0) {
		r = fd_send(run->listener_write, listener);
		(void)close(listener);
		listener = r;
	}
	errno = -listener;
	return listener < 0 ? -1 : 0;
}

static int start(const struct sandbox_host *host, const struct sandbox_spec *spec, struct run *run,
		 pid_t *ret, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	int keep[] = {run->arguments, run->status_write, run->filter, -1};
	struct process_spec process = {.stdin_fd = run->standard[0],
				       .stdout_fd = run->standard[1],
				       .stderr_fd = run->standard[2],
				       .keep_fds = keep,
				       .before_exec = run->filter < 0 ? install_filter : NULL,
				       .cookie = run};
	mode_t before;
	int r;

	strv_add(&argv, host->bwrap);
	strv_addf(&argv, "--args");
	strv_addf(&argv, "%d", run->arguments);
	if (run->filter >= 0) {
		strv_add(&argv, "--seccomp");
		strv_addf(&argv, "%d", run->filter);
	}
	strv_addf(&argv, "--json-status-fd");
	strv_addf(&argv, "%d", run->status_write);
	strv_add(&argv, "--");
	sandbox_command(spec, &argv);
	process.argv = (const char *const *)argv.items;
	before = umask(STEP_UMASK);
	r = process_start(&process, ret, err);
	(void)umask(before);
	return r;
}

/* Lines like { "child-pid": 12 } and { "exit-code": 3 }; -1 where the member is not there. */
static long status_member(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

/* bwrap ends with the command, not with all that the command left running: processes that still die
 * could change the upper directory behind our back. Its child, their init, comes to us as orphan.
 */
static void await_init(long pid)
{
	if (pid > 0)
		(void)process_wait((pid_t)pid);
}

static int watch_over(struct run *run, pid_t pid, struct varve_error *err)
{
	CLEANUP(fd_close) int listener = -1;

	if (run->filter >= 0)
		return 0;
	fd_close(&run->listener_write);
	listener = fd_receive(run->listener_read);
	if (listener < 0)
		return varve_error_set(err, listener, "take over the listener of the sandbox");
	return supervise(listener, pid, run->owners, err);
}

static int finish(struct run *run, pid_t pid, int *ret_status, struct varve_error *err)
{
	char text[STATUS_TEXT + 1];
	ssize_t len;
	int status, r = watch_over(run, pid, err);

	if (r < 0)
		(void)kill(pid, SIGKILL);
	status = process_wait(pid);
	if (r < 0)
		return r;

	if (status < 0)
		return varve_error_set(err, status, "wait for bwrap");
	len = read(run->status_read, text, STATUS_TEXT);
	text[len < 0 ? 0 : len] = '\0';
	await_init(status_member(text, "\"child-pid\":"));
	if (status != 0 && status <= 128 && status_member(text, "\"exit-code\":") < 0)
		return varve_error_set(
			err, -VARVE_E_HOST,
			"bubblewrap could not set up the sandbox (exit status %d); its "
			"own message is in the output",
			status);
	*ret_status = status;
	return 0;
}

/* Where a file of /etc in the image really lies: bwrap cannot mount on a symlink. NULL: nowhere
 * that we could name. */
static char *resolve_in_root(const char *root, const char *path)
{
	CLEANUP(free_ptr) char *full = xasprintf("%s%s", root, path);
	CLEANUP(free_ptr) char *clean = NULL;
	char link[LINK_TEXT];
	ssize_t len = readlink(full, link, sizeof(link) - 1);

	if (len < 0)
		return xstrdup(path);
	link[len] = '\0';
	if (link[0] != '/' && !str_starts(link, "../"))
		return xasprintf("/etc/%s", link);
	clean = path_clean(link[0] == '/' ? link : link + strlen(".."));
	return clean ? xasprintf("/%s", clean) : NULL;
}

/* A step with network needs to find names as the host does. */
static size_t add_host_files(const struct sandbox_spec *spec, struct sandbox_bind *binds,
			     struct strv *names)
{
	static const char *const files[HOST_FILES] = {"/etc/resolv.conf", "/etc/hosts"};
	size_t i, count = 0;

	for (i = 0; i < HOST_FILES; i++) {
		char *source = realpath(files[i], NULL);
		char *target = source ? resolve_in_root(spec->root, files[i]) : NULL;

		if (source && target) {
			strv_take(names, source);
			strv_take(names, target);
			binds[count++] = (struct sandbox_bind){.source = source, .target = target};
			continue;
		}
		free(source);
		free(target);
	}
	return count;
}

static int run_command(const struct sandbox_host *host, const struct sandbox_spec *spec,
		       struct run *run, int *ret_status, struct varve_error *err)
{
	pid_t pid = -1;
	int r;

	/* Ctrl-C is for the parent to decide, and the terminal is not for a step. */
	if (!spec->terminal)
		(void)setsid();
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return varve_error_set(err, -errno, "become a reaper of orphans");
	/* bwrap hands every open descriptor on. Kernels before 5.11 lack the flag: then what we
	 * opened ourselves is close-on-exec all the same. */
	(void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	if (host->isolation == SANDBOX_CHROOT)
		return sandbox_chroot_run(host, spec, run->standard, ret_status, err);
	r = prepare(host, spec, run, err);
	if (r == 0)
		r = start(host, spec, run, &pid, err);
	fd_close(&run->status_write);
	return r < 0 ? r : finish(run, pid, ret_status, err);
}

// NOLINTNEXTLINE(readability-function-size): three of the seven are stdin, stdout and stderr
int sandbox_run(const struct sandbox_host *host, const struct sandbox_spec *spec, int stdin_fd,
		int stdout_fd, int stderr_fd, int *ret_status, struct varve_error *err)
{
	CLEANUP(run_release)
	struct run run = {
		&host->owners, -1, -1, BUF_INIT, -1, -1, -1, -1, {stdin_fd, stdout_fd, stderr_fd}};
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(free_ptr) struct sandbox_bind *binds = NULL;
	struct sandbox_spec full = *spec;
	size_t count = 0;

	binds = xcalloc(spec->bind_count + HOST_FILES, sizeof(*binds));
	if (spec->network)
		count = add_host_files(spec, binds, &names);
	/* The host's files first: binds of the step win. */
	if (spec->bind_count > 0)
		memcpy(binds + count, spec->binds, spec->bind_count * sizeof(*binds));
	full.binds = binds;
	full.bind_count = count + spec->bind_count;
	return run_command(host, &full, &run, ret_status, err);
}
