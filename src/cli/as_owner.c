/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/as_owner.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/process.h"

struct inside {
	const struct owner_work *work;
	int fd; /* where the result goes */
};

static int run_inside(void *cookie)
{
	const struct inside *inside = cookie;
	const struct owner_work *work = inside->work;

	work->run(work->cookie, work->result);
	return fd_write_all(inside->fd, work->result, work->size) < 0;
}

static int run_in_namespace(const struct session *session, const struct owner_work *work,
			    struct varve_error *err)
{
	struct inside inside = {.work = work};
	CLEANUP(fd_close) int reader = -1;
	int pipes[2], r;
	ssize_t len;
	pid_t pid;

	if (pipe(pipes) < 0)
		return varve_error_set(err, -1, "make a pipe");
	reader = pipes[0];
	inside.fd = pipes[1];
	r = sandbox_spawn(&session->host, run_inside, &inside, -1, &pid, err);
	close(pipes[1]);
	if (r < 0)
		return r;
	len = fd_read_full(reader, work->result, work->size);
	(void)process_wait(pid);
	if (len != (ssize_t)work->size)
		return varve_error_set(err, -VARVE_E_HOST, "the working process gave no result");
	return 0;
}

int as_owner(struct session *session, const struct owner_work *work, struct varve_error *err)
{
	session_find_host(session);
	if (session->host.owners.mode == OWNER_SUBUID)
		return run_in_namespace(session, work, err);
	work->run(work->cookie, work->result);
	return 0;
}
