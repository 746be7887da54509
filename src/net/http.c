/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/curl_door.h"
#include "net/http_job.h"
#include "net/http_url.h"

enum {
	PROGRESS_BYTES = 1 << 20, /* an attempt that brought so much more is no failure in a row */
	PROGRESS_MS = 100,
	WAIT_MS = 500, /* before the second try; doubles */
	IDLE_US = 10000,
};

struct http {
	struct http_options options;
	struct curl_door curl;
	CURLM *multi;
};

int http_new(const struct http_options *options, struct http **ret, struct varve_error *err)
{
	CLEANUP(http_freep) struct http *http = xcalloc(1, sizeof(*http));
	int r;

	if (options)
		http->options = *options;
	http->options.parallel = http->options.parallel ? http->options.parallel : 8;
	http->options.per_host = http->options.per_host ? http->options.per_host : 6;
	http->options.stall_seconds =
		http->options.stall_seconds ? http->options.stall_seconds : 60;
	http->options.tries = http->options.tries ? http->options.tries : 4;
	r = curl_door_open(&http->curl, err);
	if (r < 0)
		return r;
	if (http->curl.global_init(CURL_GLOBAL_DEFAULT) != 0 ||
	    !(http->multi = http->curl.multi_init()))
		return varve_error_set(err, -VARVE_E_HOST, "libcurl does not start");
	*ret = steal_ptr(&http);
	return 0;
}

/* The library stays loaded: those below it have handlers that run at exit. */
void http_free(struct http *http)
{
	if (!http)
		return;
	if (http->multi)
		(void)http->curl.multi_cleanup(http->multi);
	free(http);
}

void http_freep(struct http **http)
{
	http_free(*http);
	*http = NULL;
}

struct run {
	struct http *http;
	struct http_job *jobs;
	size_t count, ended, running;
	http_progress progress;
	void *cookie;
	int64_t told; /* ms */
};

static void tell(struct run *run, const struct http_transfer *ended)
{
	int64_t now = clock_ms();
	uint64_t bytes = 0;
	size_t i;

	if (!run->progress || (!ended && now - run->told < PROGRESS_MS))
		return;
	run->told = now;
	for (i = 0; i < run->count; i++)
		bytes += run->jobs[i].body.offset;
	run->progress(run->cookie, ended, bytes);
}

static void job_end(struct run *run, struct http_job *job, int result,
		    const struct varve_error *error)
{
	CLEANUP(free_ptr) char *name = http_url_display(job->transfer->url);

	job->transfer->result = result;
	if (result < 0) {
		job->transfer->error = *error;
		varve_error_prefix(&job->transfer->error, "download %s", name);
	}
	job->state = HTTP_JOB_ENDED;
	run->ended++;
	tell(run, job->transfer);
}

/* Returns false when there is no further try. */
static bool plan_retry(struct http_job *job, struct http_outcome *o)
{
	int64_t wait;

	if (job->body.best >= job->best + PROGRESS_BYTES)
		job->failures = 0;
	job->best = job->body.best;
	if (++job->failures >= job->options->tries) {
		if (job->failures > 1)
			varve_error_hint(&o->error, "given up after %u tries", job->failures);
		return false;
	}
	wait = (int64_t)WAIT_MS << (job->failures - 1);
	if (o->wait * 1000 > wait)
		wait = o->wait * 1000;
	log_debug("%s: %s; next try in %lld ms", job->origin, o->error.text, (long long)wait);
	job->not_before = clock_ms() + wait;
	return true;
}

static void attempt_ended(struct run *run, struct http_job *job, CURLcode code)
{
	struct http_outcome o;

	http_job_judge(job, code, &o);
	(void)run->http->curl.multi_remove_handle(run->http->multi, job->easy);
	http_job_disconnect(job);
	run->running--;
	if (o.kind == HTTP_AGAIN || (o.kind == HTTP_TRANSIENT && plan_retry(job, &o)))
		job->state = HTTP_JOB_PENDING;
	else
		job_end(run, job, o.kind == HTTP_DONE ? 0 : o.error.code, &o.error);
}

static void start(struct run *run, struct http_job *job)
{
	struct varve_error error = {0};
	int r = http_job_connect(job, &error);

	if (r == 0 && run->http->curl.multi_add_handle(run->http->multi, job->easy) != CURLM_OK)
		r = varve_error_set(&error, -VARVE_E_NETWORK, "libcurl refuses it");
	if (r < 0) {
		job_end(run, job, r, &error);
		return;
	}
	run->running++;
}

/* --- all of them ---------------------------------------------------------------------------------
 */

static unsigned running_at(const struct run *run, const char *origin)
{
	unsigned n = 0;

	for (size_t i = 0; i < run->count; i++)
		n += run->jobs[i].state == HTTP_JOB_RUNNING &&
		     str_equal(run->jobs[i].origin, origin);
	return n;
}

/* Returns how long to wait at most, in ms: until a transfer may be tried again. */
static int start_pending(struct run *run)
{
	const struct http_options *options = &run->http->options;
	int64_t now = clock_ms(), next = now + WAIT_MS;

	/* libcurl could hold them back itself, but would count the time that they wait as theirs.
	 */
	for (size_t i = 0; i < run->count && run->running < options->parallel; i++) {
		struct http_job *job = &run->jobs[i];

		if (job->state != HTTP_JOB_PENDING)
			continue;
		if (job->not_before > now)
			next = job->not_before < next ? job->not_before : next;
		else if (running_at(run, job->origin) < options->per_host)
			start(run, job);
	}
	return (int)(next - now);
}

static void take_ended(struct run *run)
{
	struct curl_door *curl = &run->http->curl;
	CURLMsg *message;
	int left;

	while ((message = curl->multi_info_read(run->http->multi, &left))) {
		void *job = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &job);
		attempt_ended(run, job, message->data.result);
	}
}

static int run_to_end(struct run *run, struct varve_error *err)
{
	struct curl_door *curl = &run->http->curl;
	CURLMcode code = CURLM_OK;
	int running;

	while (run->ended < run->count && code == CURLM_OK) {
		int wait = start_pending(run);
		size_t ended = run->ended;

		/* All that is left waits for another try. */
		if (run->running == 0) {
			if (ended < run->count)
				(void)usleep(IDLE_US);
			tell(run, NULL);
			continue;
		}
		code = curl->multi_perform(run->http->multi, &running);
		take_ended(run);
		tell(run, NULL);
		/* Ended ones made room: the next are started before anything is waited for. */
		if (code == CURLM_OK && running > 0 && run->ended == ended)
			code = curl->multi_poll(run->http->multi, NULL, 0,
						wait < PROGRESS_MS ? wait : PROGRESS_MS, NULL);
	}
	if (code != CURLM_OK)
		return varve_error_set(err, -VARVE_E_NETWORK, "download: libcurl fails (%d)",
				       (int)code);
	return 0;
}

/* True for a download that a killed process had finished. */
static bool is_whole(struct http_job *job)
{
	struct varve_error unused;

	if (job->transfer->size == 0 || job->body.offset != job->transfer->size)
		return false;
	return http_body_finish(&job->body, &unused) == 0 ||
	       http_body_restart(&job->body, &unused) < 0;
}

static void begin(struct run *run, struct http_job *job, struct http_transfer *transfer)
{
	struct varve_error error = {0};
	int r;

	job->curl = &run->http->curl;
	job->options = &run->http->options;
	r = http_job_begin(job, transfer, &error);
	if (r < 0 || is_whole(job))
		job_end(run, job, r, &error);
}

static void run_release(struct run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		struct http_job *job = &run->jobs[i];

		if (job->easy)
			(void)run->http->curl.multi_remove_handle(run->http->multi, job->easy);
		http_job_release(job);
	}
	free(run->jobs);
}

int http_fetch(struct http *http, struct http_transfer *transfers, size_t count,
	       http_progress progress, void *cookie, struct varve_error *err)
{
	CLEANUP(run_release)
	struct run run = {.http = http, .count = count, .progress = progress, .cookie = cookie};
	size_t i;
	int r;

	run.jobs = xcalloc(count + 1, sizeof(*run.jobs));
	for (i = 0; i < count; i++)
		begin(&run, &run.jobs[i], &transfers[i]);
	r = run_to_end(&run, err);
	for (i = 0; i < count && r == 0; i++) {
		r = transfers[i].result;
		if (r < 0 && err)
			*err = transfers[i].error;
	}
	return r;
}
