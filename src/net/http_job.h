/* SPDX-License-Identifier: Apache-2.0
 * One transfer under way: its connections, one after the other, and what the end of each means.
 *	http_job_begin -> (http_job_connect -> http_job_judge -> http_job_disconnect)* ->
 *http_job_release */
#ifndef NET_HTTP_JOB_H
#define NET_HTTP_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include "net/curl_door.h"
#include "net/http_body.h"

struct curl_slist;

enum http_job_state { HTTP_JOB_PENDING, HTTP_JOB_RUNNING, HTTP_JOB_ENDED };

struct http_job {
	const struct curl_door *curl;
	const struct http_options *options;
	struct http_transfer *transfer;
	struct http_body body;
	enum http_job_state state;
	CURL *easy; /* NULL: no connection */
	struct curl_slist *headers;
	char *url; /* present one, after redirections */
	char *origin; /* of url */
	char *validator; /* of the bytes so far: a strong ETag, or NULL */
	unsigned redirects, failures;
	int64_t not_before; /* ms: waits for another try until then */
	uint64_t best; /* the furthest that an earlier attempt has come */
	int64_t range_start; /* of this answer's Content-Range, -1: none */
	uint64_t wasted; /* bytes of an answer that is not the file */
	bool misplaced; /* the answer is a part that was not asked for */
	bool started; /* the first bytes of this answer were looked at */
	struct varve_error local; /* why we broke the connection ourselves; code 0: we did not */
	char text[CURL_ERROR_SIZE];
};

enum http_outcome_kind {
	HTTP_DONE,
	HTTP_FAILED,
	HTTP_TRANSIENT, /* another try may help */
	HTTP_AGAIN, /* go on at once: a redirection, or from the start */
};

struct http_outcome {
	enum http_outcome_kind kind;
	int64_t wait; /* seconds that the server asked for */
	struct varve_error error;
};

int http_job_begin(struct http_job *job, struct http_transfer *transfer, struct varve_error *err);
/* Makes the handle for the next attempt; the caller adds it to its multi handle. */
int http_job_connect(struct http_job *job, struct varve_error *err);
/* What the end of the attempt means (http_outcome.c). */
void http_job_judge(struct http_job *job, CURLcode code, struct http_outcome *ret);
void http_job_disconnect(struct http_job *job);
void http_job_release(struct http_job *job);

/* Of the answer, 0: none or not http. */
long http_job_status(const struct http_job *job);
/* The first bytes (or the end) of an answer: does it continue what we have, has it the right
 * length? */
int http_job_look_at_answer(struct http_job *job);

#endif
