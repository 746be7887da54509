/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

enum { TAIL_KEPT = 4096, TAIL_SHOWN = 800 }; /* of stderr; what is shown must fit an error text */

struct capture {
	struct pollfd polls[2]; /* stdout, stderr; fd -1 once at its end */
	struct buf *out;
	size_t limit;
	struct buf tail;
};

static void capture_release(struct capture *c)
{
	fd_close(&c->polls[0].fd);
	fd_close(&c->polls[1].fd);
	buf_release(&c->tail);
}

static int take_output(struct capture *c, const char *data, size_t len)
{
	if (len > c->limit)
		return -VARVE_E_LIMIT;
	c->limit -= len;
	buf_add(c->out, data, len);
	return 0;
}

static void take_tail(struct capture *c, const char *data, size_t len)
{
	buf_add(&c->tail, data, len);
	if (c->tail.len > TAIL_KEPT) {
		size_t excess = c->tail.len - TAIL_KEPT;

		memmove(c->tail.data, c->tail.data + excess, TAIL_KEPT + 1);
		c->tail.len = TAIL_KEPT;
	}
}

static int take(struct capture *c, int which)
{
	char data[8192];
	ssize_t n = read(c->polls[which].fd, data, sizeof(data));

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		fd_close(&c->polls[which].fd);
	else if (which == 0)
		return take_output(c, data, (size_t)n);
	else
		take_tail(c, data, (size_t)n);
	return 0;
}

static int take_all(struct capture *c)
{
	while (c->polls[0].fd >= 0 || c->polls[1].fd >= 0) {
		int r = 0;

		if (poll(c->polls, 2, -1) < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < 2 && r == 0; i++)
			if (c->polls[i].fd >= 0 && c->polls[i].revents)
				r = take(c, i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The last whole lines of stderr that fit, without the final newline. */
static const char *shown_tail(struct buf *tail)
{
	const char *text, *newline;

	while (tail->len && (tail->data[tail->len - 1] == '\n' || tail->data[tail->len - 1] == ' '))
		tail->data[--tail->len] = '\0';
	text = buf_text(tail);
	if (tail->len <= TAIL_SHOWN)
		return text;
	text += tail->len - TAIL_SHOWN;
	newline = strchr(text, '\n');
	return newline ? newline + 1 : text;
}

/* Our end of a new pipe goes to poll, the other one is returned. */
static int open_pipe(struct pollfd *poll, const char *program, struct varve_error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return varve_error_set(err, -errno, "pipe for %s", program);
	*poll = (struct pollfd){ends[0], POLLIN, 0};
	return ends[1];
}

static int start_capture(const struct process_spec *wanted, struct capture *c, pid_t *ret_pid,
			 struct varve_error *err)
{
	struct process_spec spec = *wanted;
	CLEANUP(fd_close) int out = -1;
	CLEANUP(fd_close) int error = -1;

	if (spec.stdout_fd < 0) {
		out = open_pipe(&c->polls[0], spec.argv[0], err);
		if (out < 0)
			return out;
		spec.stdout_fd = out;
	}
	error = open_pipe(&c->polls[1], spec.argv[0], err);
	if (error < 0)
		return error;
	spec.stderr_fd = error;
	return process_start(&spec, ret_pid, err);
}

int process_capture(const char *const *argv, size_t limit, struct buf *out, struct varve_error *err)
{
	const struct process_spec spec = {
		.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};

	return process_capture_spec(&spec, limit, out, err);
}

int process_capture_spec(const struct process_spec *spec, size_t limit, struct buf *out,
			 struct varve_error *err)
{
	const char *const *argv = spec->argv;
	CLEANUP(capture_release)
	struct capture c = {
		.polls = {{-1, 0, 0}, {-1, 0, 0}}, .out = out, .limit = limit, .tail = BUF_INIT};
	pid_t pid = -1;
	int r, status;

	r = start_capture(spec, &c, &pid, err);
	if (r < 0)
		return r;
	r = take_all(&c);
	if (r < 0)
		(void)kill(pid, SIGKILL);
	status = process_wait(pid);
	if (r == -VARVE_E_LIMIT)
		return varve_error_set(err, r, "%s: more than %zu bytes of output", argv[0], limit);
	if (r < 0 || status < 0)
		return varve_error_set(err, r < 0 ? r : status, "run %s", argv[0]);
	if (status > 0)
		return varve_error_set(err, -VARVE_E_STEP, "%s: exit status %d%s%s", argv[0],
				       status, c.tail.len ? "\n" : "", shown_tail(&c.tail));
	return 0;
}
