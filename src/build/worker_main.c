/* SPDX-License-Identifier: Apache-2.0 */
#include "build/worker_main.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/fd.h"
#include "base/network.h"
#include "build/destination.h"
#include "build/step.h"

static void say(int fd, json_t *take_line)
{
	CLEANUP(json_decrefp) json_t *line = take_line;
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_canonical(line, &text);
	buf_addc(&text, '\n');
	/* A parent that is gone has killed us already. */
	(void)fd_write_all(fd, buf_text(&text), text.len);
}

/* Events of the library in this process become lines for the parent. */
static void forward_event(void *cookie, const struct varve_event *event)
{
	struct worker_job *job = cookie;
	json_t *line = json_object();

	if (event->kind == VARVE_EVENT_WAITING)
		json_set(line, "event", json_text("waiting"));
	if (event->kind == VARVE_EVENT_LAYER)
		json_set(line, "event", json_text("layer"));
	say(job->result_fd, line);
}

static void forward_progress(void *cookie, const char *what, uint64_t done, uint64_t total)
{
	struct worker_job *job = cookie;
	json_t *line = json_object();

	json_set(line, "event", json_text("fetch"));
	json_set(line, "what", json_text(what));
	json_set(line, "done", json_integer((json_int_t)done));
	json_set(line, "total", json_integer((json_int_t)total));
	say(job->result_fd, line);
}

static void forward_trees(void *cookie, const struct layer_list *layers)
{
	const struct worker_job *job = cookie;
	json_t *line = json_object();

	json_set(line, "event", json_text("trees"));
	layer_list_set(line, layers);
	say(job->result_fd, line);
}

static int make_step(struct worker_job *job, json_t *result, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv notices = STRV_INIT;
	const struct step_listener listener = {job, forward_trees};
	int r = step_make(job->build, job->index, job->output_fd, &listener, &notices, err);

	if (r == 0)
		json_set(result, "notices", json_of_strv(&notices));
	return r;
}

static int fetch(struct worker_job *job, struct varve_error *err)
{
	const struct lock_source *source = job->build->plan->sources.items[job->index].locked;

	job->build->sources->progress = forward_progress;
	job->build->sources->cookie = job;
	/* Connections of the parent must not be shared. */
	job->build->sources->http = NULL;
	return source_fetch(job->build->sources, &source, 1, err);
}

static int work(struct worker_job *job, json_t *result, struct varve_error *err)
{
	switch (job->kind) {
	case WORKER_STEP:
		return make_step(job, result, err);
	case WORKER_RESOLVE:
		return build_destination_in_worker(job->build, job->index, err);
	case WORKER_FETCH:
		return fetch(job, err);
	case WORKER_SWEEP:
		return store_sweep(job->build->store, err);
	}
	return -EINVAL;
}

int worker_main(void *cookie)
{
	struct worker_job *job = cookie;
	struct varve_report report = {job, forward_event};
	struct varve_error err = {0};
	json_t *result = json_object();
	int r;

	umask(022);
	destination_leave(job->build);
	job->build->report = &report;
	/* Steps that may use the host's network have none either, then. */
	r = job->build->sources->offline ? network_cut(&err) : 0;
	if (r == 0 && job->kind != WORKER_FETCH)
		r = store_reopen(job->build->store, &err);
	if (r == 0)
		r = work(job, result, &err);
	json_set(result, "result", json_integer(r < 0 ? r : 0));
	if (r < 0)
		json_set(result, "error", json_text(err.text));
	say(job->result_fd, result);
	return r < 0 ? 1 : 0;
}
