/* SPDX-License-Identifier: Apache-2.0
 * Fetching outside of a build. With --offline there is nothing to connect for, and no network to do
 * it with: the work is done by a child that has none. */
#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/network.h"
#include "base/process.h"

/* What the child has to say. */
struct answer {
	int result;
	struct varve_error err;
};

static void tell_progress(void *cookie, const char *what, uint64_t done, uint64_t total)
{
	const struct varve_report *report = progress_report(cookie);

	report->event(report->cookie, &(struct varve_event){.kind = VARVE_EVENT_FETCH,
							    .step = what,
							    .done = done,
							    .total = total});
}

static void answer_cut_off(struct session *session, const struct lock_source *const *sources,
			   size_t count, int fd)
{
	struct answer answer = {0};

	answer.result = network_cut(&answer.err);
	if (answer.result == 0)
		answer.result = source_fetch(&session->sources, sources, count, &answer.err);
	(void)fd_write_all(fd, &answer, sizeof(answer));
}

static int fetch_cut_off(struct session *session, const struct lock_source *const *sources,
			 size_t count, struct varve_error *err)
{
	CLEANUP(fd_close) int report = -1;
	struct answer answer = {0};
	pid_t parent = getpid(), pid = process_fork_pipe(&report, err);

	if (pid < 0)
		return pid;
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			answer_cut_off(session, sources, count, report);
		_exit(0);
	}
	if (fd_read_full(report, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
		answer.result = varve_error_set(&answer.err, -VARVE_E_CANCELLED, "stopped");
	(void)process_wait(pid);
	if (answer.result < 0 && err)
		*err = answer.err;
	return answer.result;
}

int session_fetch(struct session *session, const struct lock_source *const *sources, size_t count,
		  struct varve_error *err)
{
	int r;

	session->sources.progress = session->progress ? tell_progress : NULL;
	session->sources.cookie = session->progress;
	if (session->sources.offline)
		r = fetch_cut_off(session, sources, count, err);
	else
		r = source_fetch(&session->sources, sources, count, err);
	session->sources.progress = NULL;
	return r;
}
