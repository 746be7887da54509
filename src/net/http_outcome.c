/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "net/http_cause.h"
#include "net/http_url.h"

enum { REDIRECTS = 10, RETRY_AFTER_LIMIT = 60 /* seconds that a server may make us wait */ };

static void fail(struct http_outcome *o, bool transient, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void fail(struct http_outcome *o, bool transient, const char *format, ...)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	o->kind = transient ? HTTP_TRANSIENT : HTTP_FAILED;
	(void)varve_error_set(&o->error, -VARVE_E_NETWORK, "%s", buf_text(&text));
}

static void judge_status(struct http_job *job, long status, struct http_outcome *o)
{
	curl_off_t wait = 0;

	(void)job->curl->easy_getinfo(job->easy, CURLINFO_RETRY_AFTER, &wait);
	o->wait = wait;
	if (status == 416 && job->body.offset > 0) {
		/* What we have is no beginning of what the server has. */
		o->kind = http_body_restart(&job->body, &o->error) < 0 ? HTTP_FAILED : HTTP_AGAIN;
	} else if (status == 429 || status == 408 || status / 100 == 5) {
		fail(o, status != 501 && status != 505, "the server answers with HTTP status %ld",
		     status);
		if (wait > RETRY_AFTER_LIMIT) {
			fail(o, false,
			     "the server answers with HTTP status %ld and asks to wait %lld s",
			     status, (long long)wait);
			varve_error_hint(&o->error, "try again after that time");
		}
	} else if (status == 404 || status == 410) {
		o->kind = HTTP_FAILED;
		(void)varve_error_set(&o->error, -VARVE_E_NOT_FOUND,
				      "the server does not have it (HTTP status %ld)", status);
	} else if (status == 401 || status == 403 || status == 407) {
		fail(o, false, "the server refuses (HTTP status %ld)", status);
	} else {
		fail(o, false, "the server answers with HTTP status %ld", status);
	}
}

/* A new URL: the same transfer goes on there, without what was said to the first server. */
static void judge_redirect(struct http_job *job, struct http_outcome *o)
{
	char *to = NULL;

	(void)job->curl->easy_getinfo(job->easy, CURLINFO_REDIRECT_URL, &to);
	if (!to) {
		fail(o, false, "the server redirects to nowhere (HTTP status %ld)",
		     http_job_status(job));
	} else if (++job->redirects > REDIRECTS) {
		fail(o, false, "more than %d redirections", REDIRECTS);
	} else if (!http_url_may_redirect(job->url, to)) {
		CLEANUP(free_ptr) char *origin = http_url_origin(to);

		fail(o, false, "the server redirects to %s, which is not followed from %.8s",
		     origin, job->url);
	} else {
		free(job->url);
		job->url = xstrdup(to);
		free(job->origin);
		job->origin = http_url_origin(to);
		o->kind = HTTP_AGAIN;
	}
}

static bool is_connected(const struct http_job *job)
{
	curl_off_t connect_us = 0;

	(void)job->curl->easy_getinfo(job->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
	return connect_us > 0;
}

/* The connection broke, or was never there. */
static void judge_failure(struct http_job *job, CURLcode code, struct http_outcome *o)
{
	const char *why = job->text[0] ? job->text : job->curl->easy_strerror(code);
	bool again = http_cause_is_break(code) ||
		     (code == CURLE_OPERATION_TIMEDOUT && is_connected(job));

	if (code == CURLE_FILE_COULDNT_READ_FILE) {
		job->transfer->status = 404;
		o->kind = HTTP_FAILED;
		(void)varve_error_set(&o->error, -VARVE_E_NOT_FOUND, "there is no such file");
	} else if (code == CURLE_OPERATION_TIMEDOUT && again) {
		fail(o, true, "no byte came for %u seconds", job->options->stall_seconds);
	} else {
		fail(o, again, "%s", why);
	}
	if (http_cause_hint(code))
		varve_error_hint(&o->error, "%s", http_cause_hint(code));
}

static void judge_end(struct http_job *job, struct http_outcome *o)
{
	curl_off_t filetime = -1;
	bool pieced = job->body.pieced;
	int r = 0;

	/* An empty file brings no data that would have been looked at. */
	if (!job->started)
		r = http_job_look_at_answer(job);
	if (r < 0) {
		o->kind = HTTP_FAILED;
		o->error = job->local;
		return;
	}
	r = http_body_finish(&job->body, &o->error);
	if (r == -EAGAIN) {
		fail(o, true, "the server ends after %" PRIu64 " of %" PRIu64 " bytes",
		     job->body.offset, job->transfer->size);
	} else if (r == -VARVE_E_DIGEST && pieced) {
		/* The part from an earlier connection may be the wrong one. */
		o->kind = http_body_restart(&job->body, &o->error) < 0 ? HTTP_FAILED : HTTP_AGAIN;
	} else {
		o->kind = r < 0 ? HTTP_FAILED : HTTP_DONE;
		(void)job->curl->easy_getinfo(job->easy, CURLINFO_FILETIME_T, &filetime);
		job->transfer->last_modified = filetime > 0 ? filetime : 0;
	}
}

void http_job_judge(struct http_job *job, CURLcode code, struct http_outcome *o)
{
	long status = http_job_status(job);

	*o = (struct http_outcome){0};
	job->transfer->status = status;
	if (job->local.code < 0) {
		o->kind = HTTP_FAILED;
		o->error = job->local;
	} else if (job->misplaced) {
		fail(o, true, "the server sends another part of the file than was asked for");
	} else if (code != CURLE_OK && job->wasted == 0) {
		judge_failure(job, code, o);
	} else if (status / 100 == 3) {
		judge_redirect(job, o);
	} else if (status != 0 && status != 200 && status != 206) {
		judge_status(job, status, o);
	} else {
		judge_end(job, o);
	}
}
