/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_job.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <varve/version.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "net/http_url.h"

enum { CONNECT_SECONDS = 30, BUFFER_SIZE = 256 << 10, WASTE_LIMIT = 1 << 20 };

long http_job_status(const struct http_job *job)
{
	long status = 0;

	(void)job->curl->easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

int http_job_look_at_answer(struct http_job *job)
{
	struct http_transfer *t = job->transfer;
	curl_off_t length = -1;
	int r = 0;

	job->started = true;
	if (http_job_status(job) == 206) {
		job->misplaced = job->range_start != (int64_t)job->body.offset;
		return job->misplaced ? http_body_restart(&job->body, &job->local) : 0;
	}
	if (job->body.offset > 0)
		r = http_body_restart(&job->body, &job->local);
	(void)job->curl->easy_getinfo(job->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (r == 0 && t->size > 0 && length >= 0 && (uint64_t)length != t->size)
		r = varve_error_set(&job->local, -VARVE_E_DIGEST,
				    "the server has %" PRIu64 " bytes, expected were %" PRIu64,
				    (uint64_t)length, t->size);
	return r;
}

static size_t on_data(char *data, size_t size, size_t count, void *cookie)
{
	struct http_job *job = cookie;
	long status = http_job_status(job);
	size_t len = size * count;
	int r = 0;

	/* What comes with a redirection or a failure is not the file, and may have no end. 0:
	 * file:// */
	if (status != 0 && status != 200 && status != 206) {
		job->wasted += len;
		return job->wasted > WASTE_LIMIT ? 0 : len;
	}
	if (!job->started)
		r = http_job_look_at_answer(job);
	if (r == 0 && job->misplaced)
		return 0;
	if (r == 0)
		r = http_body_take(&job->body, data, len, &job->local);
	if (r < 0)
		return 0;
	return len;
}

/* The value of "NAME: value\r\n", or NULL. Caller frees. */
static char *header_value(const char *line, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	if (len <= name_len || strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
		return NULL;
	for (line += name_len + 1, len -= name_len + 1; len > 0 && isspace((unsigned char)*line);
	     len--)
		line++;
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	return xstrndup(line, len);
}

static size_t on_header(char *line, size_t size, size_t count, void *cookie)
{
	struct http_job *job = cookie;
	size_t len = size * count;
	CLEANUP(free_ptr) char *etag = header_value(line, len, "ETag");
	CLEANUP(free_ptr) char *range = header_value(line, len, "Content-Range");
	long status = http_job_status(job);

	if (len > 5 && strncmp(line, "HTTP/", 5) == 0)
		job->range_start = -1;
	if (range && strncasecmp(range, "bytes ", 6) == 0)
		job->range_start = strtoll(range + 6, NULL, 10);
	if (etag && etag[0] == '"' && (status == 200 || status == 206)) {
		free(job->validator);
		job->validator = steal_ptr(&etag);
	}
	return len;
}

/* Bytes of a file whose digest is known can be continued from anywhere: it is checked at the end.
 * Of an unknown one, only while the server promises that it is still the same. */
static void set_range(struct http_job *job)
{
	const struct curl_door *curl = job->curl;
	bool can = job->transfer->want || job->validator;
	CLEANUP(free_ptr) char *range = NULL;

	if (job->body.offset == 0 || !can || http_url_has_scheme(job->url, "file"))
		return;
	range = xasprintf("Range: bytes=%" PRIu64 "-", job->body.offset);
	job->headers = curl->slist_append(job->headers, range);
	if (!job->transfer->want) {
		CLEANUP(free_ptr) char *same = xasprintf("If-Range: %s", job->validator);

		job->headers = curl->slist_append(job->headers, same);
	}
}

static void set_accept(struct http_job *job)
{
	CLEANUP(free_ptr) char *header = NULL;

	if (!job->transfer->accept)
		return;
	header = xasprintf("Accept: %s", job->transfer->accept);
	job->headers = job->curl->slist_append(job->headers, header);
}

static CURLcode set_options(struct http_job *job)
{
	CURLcode (*set)(CURL *, CURLoption, ...) = job->curl->easy_setopt;
	long stall = (long)job->options->stall_seconds;

	(void)set(job->easy, CURLOPT_URL, job->url);
	(void)set(job->easy, CURLOPT_PRIVATE, (void *)job);
	(void)set(job->easy, CURLOPT_USERAGENT, "varve/" VARVE_VERSION);
	(void)set(job->easy, CURLOPT_NOSIGNAL, 1L);
	(void)set(job->easy, CURLOPT_FILETIME, 1L);
	(void)set(job->easy, CURLOPT_ERRORBUFFER, job->text);
	(void)set(job->easy, CURLOPT_WRITEFUNCTION, on_data);
	(void)set(job->easy, CURLOPT_WRITEDATA, (void *)job);
	(void)set(job->easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)set(job->easy, CURLOPT_HEADERDATA, (void *)job);
	(void)set(job->easy, CURLOPT_HTTPHEADER, job->headers);
	(void)set(job->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)set(job->easy, CURLOPT_LOW_SPEED_TIME, stall);
	(void)set(job->easy, CURLOPT_CONNECTTIMEOUT,
		  stall < CONNECT_SECONDS ? stall : CONNECT_SECONDS);
	(void)set(job->easy, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
	/* Redirections are followed by us: libcurl cannot be told the rule of
	 * http_url_may_redirect. */
	(void)set(job->easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
	return set(job->easy, CURLOPT_PROTOCOLS_STR, "http,https,file");
#else
	return set(job->easy, CURLOPT_PROTOCOLS,
		   (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE));
#endif
}

int http_job_begin(struct http_job *job, struct http_transfer *transfer, struct varve_error *err)
{
	int r;

	job->transfer = transfer;
	job->url = xstrdup(transfer->url);
	job->origin = http_url_origin(transfer->url);
	transfer->status = 0;
	r = http_body_begin(&job->body, transfer, err);
	job->best = job->body.best;
	return r;
}

int http_job_connect(struct http_job *job, struct varve_error *err)
{
	job->easy = job->curl->easy_init();
	if (!job->easy)
		return varve_error_set(err, -ENOMEM, "start a connection");
	job->local = (struct varve_error){0};
	job->text[0] = '\0';
	job->started = false;
	job->misplaced = false;
	job->range_start = -1;
	job->state = HTTP_JOB_RUNNING;
	job->wasted = 0;
	set_accept(job);
	set_range(job);
	/* A library that is older than the headers may not know the option. */
	if (set_options(job) != CURLE_OK)
		return varve_error_set(err, -VARVE_E_HOST,
				       "this libcurl cannot be kept to http and https");
	return 0;
}

void http_job_disconnect(struct http_job *job)
{
	if (!job->easy)
		return;
	job->curl->easy_cleanup(job->easy);
	job->curl->slist_free_all(job->headers);
	job->easy = NULL;
	job->headers = NULL;
	/* The next answer has to fit to what is there. */
	job->body.pieced = job->body.offset > 0;
}

void http_job_release(struct http_job *job)
{
	http_job_disconnect(job);
	http_body_release(&job->body);
	free(job->url);
	free(job->origin);
	free(job->validator);
}
