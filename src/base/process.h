/* SPDX-License-Identifier: Apache-2.0
 * Child processes. Children die with us (PR_SET_PDEATHSIG) and get /dev/null as stdin by default.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <varve/error.h>

struct buf;
struct strv;

struct process_spec {
	const char *const *argv; /* ends with NULL; argv[0] is looked up in PATH */
	const char *const *env; /* NULL: ours */
	int stdin_fd; /* -1: /dev/null; borrowed, as the next two */
	int stdout_fd, stderr_fd; /* -1: inherited */
	const int *keep_fds; /* descriptors that stay open in the child, ends with -1; or NULL */
	int (*before_exec)(void *cookie); /* last thing in the child; returns 0 or -1 with errno;
					     only async-signal-safe calls; or NULL */
	void *cookie;
};

/* Starts it with default signal dispositions; the caller waits for the pid. An exec that fails is
 * reported here, not as 127. The child dies with the thread that started it: that thread must stay
 * until the child is done. */
int process_start(const struct process_spec *spec, pid_t *ret_pid, struct varve_error *err);
/* Forks. The child gets the writing end of a pipe, to report on; we the reading one, which ends
 * with the child. Returns the pid, 0 in the child. */
pid_t process_fork_pipe(int *ret_end, struct varve_error *err);
/* Waits, restarting on EINTR. Returns the exit status, 128 + signal, or -errno. */
int process_wait(pid_t pid);
/* Runs to the end, stdout (up to limit bytes) into out, stderr's end (4 KiB) into the error text
 * when the status is not 0: then -VARVE_E_STEP. */
int process_capture(const char *const *argv, size_t limit, struct buf *out,
		    struct varve_error *err);
/* The same for a process of another environment, or one whose stdout goes elsewhere: with a
 * stdout_fd nothing is captured, out may be NULL. stderr_fd is not used. */
int process_capture_spec(const struct process_spec *spec, size_t limit, struct buf *out,
			 struct varve_error *err);
/* Absolute path of a program in PATH (also /usr/sbin:/sbin), or NULL. Caller frees. */
char *process_find(const char *name);

#endif
