/* SPDX-License-Identifier: Apache-2.0
 * The parent's half: starting workers and hearing from them. */
#include "build/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/fd.h"
#include "base/process.h"
#include "build/worker_main.h"

enum { WORKER_TAIL = 4096, WORKER_TAIL_LINES = 12, WORKER_TELL = 5000 /* ms */ };
enum { WORKER_READ = 64 << 10, WORKER_LINE = 1 << 20, PIPE_RESULT = 0, PIPE_OUTPUT = 1 };

/* Only when something is printed: a worker that waits for another process's must not truncate the
 * log of that one. */
static int open_log(struct build *build, int step)
{
	CLEANUP(fd_close) int logs = -1;
	char name[80], hex[VARVE_DIGEST_HEX];

	if (store_open_dir(build->store, "logs", &logs, NULL) < 0)
		return -1;
	snprintf(name, sizeof(name), "%s.log", varve_digest_hex(&build->steps[step].key, hex));
	return openat(logs, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

/* Work that touches no file of an image needs no namespace. */
static int fork_plain(struct worker_job *job, pid_t *ret, struct varve_error *err)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return varve_error_set(err, -errno, "start a worker");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGINT, SIG_IGN);
		_exit(getppid() == parent ? worker_main(job) : 1);
	}
	*ret = pid;
	return 0;
}

static char *worker_name(const struct build *build, enum worker_kind kind, int index)
{
	switch (kind) {
	case WORKER_FETCH:
		return xstrdup(build->plan->sources.items[index].name);
	case WORKER_SWEEP:
		return xstrdup("store");
	case WORKER_STEP:
	case WORKER_RESOLVE:
		break;
	}
	return plan_step_name(build->plan, index);
}

int worker_start(struct build *build, enum worker_kind kind, int index, struct worker *ret,
		 struct varve_error *err)
{
	int result[2] = {-1, -1}, output[2] = {-1, -1}, r;
	struct worker_job job = {.build = build, .kind = kind, .index = index};

	if (pipe2(result, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0)
		return varve_error_set(err, -errno, "make a pipe");
	job.result_fd = result[1];
	job.output_fd = output[1];
	*ret = (struct worker){.kind = kind, .index = index, .log_fd = -1};
	ret->compile.kills = kind == WORKER_STEP ? compile_kills() : 0;
	fflush(NULL);
	r = kind == WORKER_FETCH
		    ? fork_plain(&job, &ret->pid, err)
		    : sandbox_spawn(build->host, worker_main, &job, result[1], &ret->pid, err);
	fd_close(&result[1]);
	fd_close(&output[1]);
	if (r < 0) {
		fd_close(&result[0]);
		fd_close(&output[0]);
		return r;
	}
	ret->name = worker_name(build, kind, index);
	ret->result_fd = result[0];
	ret->output_fd = output[0];
	ret->line = xcalloc(2, sizeof(*ret->line));
	return 0;
}

static void hear_event(struct build *build, struct worker *worker, const json_t *line)
{
	const char *event = json_optional_string(line, "event", "");
	const char *what = json_optional_string(line, "what", worker->name);
	uint64_t done = 0, total = 0;

	if (strcmp(event, "waiting") == 0)
		build_tell(build, VARVE_EVENT_WAITING, worker->name, NULL);
	if (strcmp(event, "trees") == 0 && !worker->has_trees)
		worker->has_trees = layer_list_get(line, &worker->trees, NULL) == 0;
	if (strcmp(event, "layer") == 0)
		build_tell(build, VARVE_EVENT_LAYER, worker->name, NULL);
	if (strcmp(event, "fetch") != 0)
		return;
	(void)json_get_u64(line, "done", &done, NULL);
	(void)json_get_u64(line, "total", &total, NULL);
	build_event(build,
		    &(struct varve_event){
			    .kind = VARVE_EVENT_FETCH, .step = what, .done = done, .total = total});
}

static void hear_line(struct build *build, struct worker *worker, const char *text, size_t len)
{
	json_t *line = NULL;

	if (json_parse(text, len, "worker", &line, NULL) < 0 || !json_is_object(line)) {
		/* Not JSON: the namespace could not be set up, and this says why. */
		json_decref(line);
		line = json_object();
		json_set(line, "result", json_integer(-VARVE_E_HOST));
		json_set(line, "error", json_text(text));
	}
	if (json_object_get(line, "result")) {
		json_decref(worker->result);
		worker->result = line;
		return;
	}
	hear_event(build, worker, line);
	json_decref(line);
}

static void tell_compile(struct build *build, struct worker *worker)
{
	worker->compile.told = clock_ms();
	build_event(build, &(struct varve_event){.kind = VARVE_EVENT_COMPILE,
						 .step = worker->name,
						 .done = worker->compile.done,
						 .total = worker->compile.total,
						 .memory = worker->compile.memory});
}

static void hear_output(struct build *build, struct worker *worker, char *text)
{
	struct compile *compile = &worker->compile;
	uint64_t before = compile->total;

	build_tell(build, VARVE_EVENT_OUTPUT, worker->name, text);
	if (worker->kind != WORKER_STEP)
		return;
	compile->killed = compile->killed || compile_tells_kill(text);
	if (compile_parse_status(text, &compile->done, &compile->total) &&
	    (compile->total != before || compile->done == compile->total))
		tell_compile(build, worker);
}

/* A step that is told how many jobs it may run is one to watch, whatever it prints. */
void worker_watch(struct build *build, struct worker *worker)
{
	if (worker->kind != WORKER_STEP || worker->pid <= 0 ||
	    (worker->compile.total == 0 && build->plan->steps[worker->index].jobs == 0))
		return;
	if (compile_sample(&worker->compile, worker->pid) && worker->compile.total > 0 &&
	    clock_ms() - worker->compile.told >= WORKER_TELL)
		tell_compile(build, worker);
}

/* A NUL would end the text of the event that carries it. */
static char printable(char c)
{
	if (c == '\0')
		return ' ';
	return c;
}

/* Gives each whole line (at the end also the rest) to its hearer. */
static void split_lines(struct build *build, struct worker *worker, struct buf *pending,
			bool is_result, bool at_end)
{
	size_t start = 0;
	char *end;

	while (start < pending->len) {
		end = memchr(pending->data + start, '\n', pending->len - start);
		if (!end && !at_end && pending->len - start < WORKER_LINE)
			break;
		if (!end)
			end = pending->data + pending->len;
		*end = '\0';
		if (is_result)
			hear_line(build, worker, pending->data + start,
				  (size_t)(end - pending->data) - start);
		else
			hear_output(build, worker, pending->data + start);
		start = (size_t)(end - pending->data) + 1;
	}
	if (start > pending->len)
		start = pending->len;
	if (start > 0) {
		memmove(pending->data, pending->data + start, pending->len - start);
		pending->len -= start;
	}
}

void worker_read(struct build *build, struct worker *worker, int fd)
{
	bool is_result = fd == worker->result_fd;
	struct buf *pending = &worker->line[is_result ? PIPE_RESULT : PIPE_OUTPUT];
	char block[WORKER_READ];
	ssize_t len = read(fd, block, sizeof(block));

	if (len < 0 && errno == EINTR)
		return;
	if (len > 0) {
		buf_add(pending, block, (size_t)len);
		if (!is_result && worker->kind == WORKER_STEP && worker->log_fd < 0)
			worker->log_fd = open_log(build, worker->index);
		if (!is_result && worker->log_fd >= 0)
			(void)fd_write_all(worker->log_fd, block, (size_t)len);
	}
	split_lines(build, worker, pending, is_result, len <= 0);
	if (len <= 0)
		fd_close(is_result ? &worker->result_fd : &worker->output_fd);
}

void worker_tail(const struct worker *worker, struct buf *ret)
{
	char block[WORKER_TAIL];
	unsigned lines = 0;
	ssize_t len, at, i;
	struct stat st;

	if (worker->log_fd < 0 || fstat(worker->log_fd, &st) < 0)
		return;
	len = pread(worker->log_fd, block, sizeof(block),
		    st.st_size > WORKER_TAIL ? st.st_size - WORKER_TAIL : 0);
	while (len > 0 && block[len - 1] == '\n')
		len--;
	for (at = len; at > 0; at--)
		if (block[at - 1] == '\n' && ++lines == WORKER_TAIL_LINES)
			break;
	for (i = at; i < len; i++)
		buf_addc(ret, printable(block[i]));
}

bool worker_ended(const struct worker *worker)
{
	return worker->result_fd < 0 && worker->output_fd < 0;
}

int worker_reap(struct worker *worker, struct varve_error *err)
{
	json_int_t result;

	worker->status = process_wait(worker->pid);
	worker->pid = 0;
	if (!worker->result)
		return varve_error_set(
			err, -VARVE_E_STEP, "the worker of %s ended without a result (%s %d)",
			worker->name, worker->status > 128 ? "signal" : "status",
			worker->status > 128 ? worker->status - 128 : worker->status);
	result = json_integer_value(json_object_get(worker->result, "result"));
	if (result == 0)
		return 0;
	if (err) {
		err->code = (int)result;
		snprintf(err->text, sizeof(err->text), "%.1000s",
			 json_optional_string(worker->result, "error", "failed"));
	}
	return (int)result;
}

void worker_kill(struct worker *worker)
{
	if (worker->pid <= 0)
		return;
	kill(worker->pid, SIGKILL);
	worker->status = process_wait(worker->pid);
	worker->pid = 0;
}

void worker_release(struct worker *worker)
{
	worker_kill(worker);
	fd_close(&worker->result_fd);
	fd_close(&worker->output_fd);
	fd_close(&worker->log_fd);
	if (worker->line) {
		buf_release(&worker->line[PIPE_RESULT]);
		buf_release(&worker->line[PIPE_OUTPUT]);
	}
	free(worker->line);
	free(worker->name);
	json_decref(worker->result);
	layer_list_release(&worker->trees);
	*worker = (struct worker){.result_fd = -1, .output_fd = -1, .log_fd = -1};
}
