/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <varve/version.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "net/curl_door.h"

enum {
	HTTP_PARALLEL = 8,
	HTTP_PER_HOST = 6,
	HTTP_STALL = 60,   /* seconds */
	HTTP_TRIES = 4,
	HTTP_WAIT = 500,   /* ms before the second try; doubles */
	HTTP_WAIT_MAX = 30000,
	HTTP_REDIRECTS = 10,
	HTTP_CONNECT = 20, /* seconds */
	HTTP_POLL = 200,   /* ms */
	HTTP_BLOCK = 256 << 10,
};

struct http {
	struct http_options options;
	struct curl_door curl;
	CURLM *multi;
};

/* One transfer in work. */
struct flight {
	struct http *http;
	struct http_transfer *transfer;
	CURL *easy; /* NULL: not under way */
	struct hasher *hasher;
	uint64_t offset; /* bytes in the file that are hashed */
	unsigned tried;
	int64_t not_before; /* ms; when the next try may start */
	bool ended;
	bool checked; /* this response's status was looked at */
	int problem;  /* a failure that the write callback found; 0: none */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static unsigned or_default(unsigned value, unsigned otherwise)
{
	return value > 0 ? value : otherwise;
}

int http_new(const struct http_options *options, struct http **ret, struct varve_error *err)
{
	CLEANUP(http_freep) struct http *http = xcalloc(1, sizeof(*http));
	int r;

	if (options)
		http->options = *options;
	http->options.parallel = or_default(http->options.parallel, HTTP_PARALLEL);
	http->options.per_host = or_default(http->options.per_host, HTTP_PER_HOST);
	http->options.stall_seconds = or_default(http->options.stall_seconds, HTTP_STALL);
	http->options.tries = or_default(http->options.tries, HTTP_TRIES);
	r = curl_door_open(&http->curl, err);
	if (r < 0)
		return r;
	http->multi = http->curl.multi_init();
	if (!http->multi)
		return varve_error_set(err, -ENOMEM, "start downloads");
	http->curl.multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
				(long)http->options.per_host);
	*ret = steal_ptr(&http);
	return 0;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	if (http->multi)
		http->curl.multi_cleanup(http->multi);
	free(http);
}

void http_freep(struct http **http)
{
	http_free(*http);
	*http = NULL;
}

/* --- text -------------------------------------------------------------------------------------- */

/* The URL without what stands between "//" and "@". Caller frees. */
static char *public_url(const char *url)
{
	const char *authority = strstr(url, "://"), *at, *end;

	if (!authority)
		return xstrdup(url);
	authority += 3;
	end = authority + strcspn(authority, "/?#");
	at = memchr(authority, '@', (size_t)(end - authority));
	return at ? xasprintf("%.*s%s", (int)(authority - url), url, at + 1) : xstrdup(url);
}

static int fail(struct flight *flight, int code, const char *cause)
{
	CLEANUP(free_ptr) char *url = public_url(flight->transfer->url);

	flight->transfer->result =
		varve_error_set(&flight->transfer->error, code, "%s: %s", url, cause);
	return flight->transfer->result;
}

/* --- bytes ------------------------------------------------------------------------------------- */

/* Hashes what is in the file already. */
static int hash_start(struct flight *flight)
{
	CLEANUP(free_ptr) char *block = xmalloc(HTTP_BLOCK);
	uint64_t left = flight->transfer->resume_from;

	while (left > 0) {
		size_t want = left < HTTP_BLOCK ? (size_t)left : HTTP_BLOCK;
		ssize_t len = pread(flight->transfer->fd, block, want, (off_t)flight->offset);

		if (len <= 0)
			return len < 0 ? -errno : -EIO;
		hasher_update(flight->hasher, block, (size_t)len);
		flight->offset += (uint64_t)len;
		left -= (uint64_t)len;
	}
	return 0;
}

static int restart(struct flight *flight)
{
	struct varve_digest dropped;

	hasher_final(flight->hasher, &dropped);
	flight->offset = 0;
	return ftruncate(flight->transfer->fd, 0) < 0 ? -errno : 0;
}

static long status_of(struct flight *flight)
{
	long status = 0;

	flight->http->curl.easy_getinfo(flight->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static int put(struct flight *flight, const char *data, size_t len)
{
	const struct http_transfer *transfer = flight->transfer;
	uint64_t limit = transfer->size > 0 ? transfer->size : transfer->limit;
	size_t done = 0;

	if (limit > 0 && flight->offset + len > limit)
		return -EFBIG;
	while (done < len) {
		ssize_t n = pwrite(transfer->fd, data + done, len - done, (off_t)(flight->offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	hasher_update(flight->hasher, data, len);
	flight->offset += len;
	return 0;
}

/* The body of an error answer is read and dropped; a whole answer where a part was asked for starts the
 * file again. */
static size_t on_body(char *data, size_t one, size_t len, void *cookie)
{
	struct flight *flight = cookie;
	long status = status_of(flight);

	(void)one;
	if (status >= 300)
		return len;
	if (!flight->checked && flight->offset > 0 && status != 206 && status != 0)
		flight->problem = restart(flight);
	flight->checked = true;
	if (flight->problem == 0)
		flight->problem = put(flight, data, len);
	return flight->problem == 0 ? len : 0;
}

/* --- one try ----------------------------------------------------------------------------------- */

static void set_protocols(const struct curl_door *curl, CURL *easy, bool secure)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,file");
	curl->easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
#else
	curl->easy_setopt(easy, CURLOPT_PROTOCOLS,
			  (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE));
	curl->easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS,
			  (long)(secure ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static int take_off(struct flight *flight)
{
	const struct http *http = flight->http;
	const struct curl_door *curl = &http->curl;
	CURL *easy = curl->easy_init();

	if (!easy)
		return fail(flight, -ENOMEM, "start a download");
	flight->easy = easy;
	flight->checked = false;
	flight->problem = 0;
	flight->tried++;
	curl->easy_setopt(easy, CURLOPT_URL, flight->transfer->url);
	curl->easy_setopt(easy, CURLOPT_PRIVATE, flight);
	curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl->easy_setopt(easy, CURLOPT_WRITEDATA, flight);
	curl->easy_setopt(easy, CURLOPT_USERAGENT, "varve/" VARVE_VERSION);
	curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl->easy_setopt(easy, CURLOPT_MAXREDIRS, (long)HTTP_REDIRECTS);
	curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl->easy_setopt(easy, CURLOPT_FILETIME, 1L);
	curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)HTTP_CONNECT);
	curl->easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl->easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)http->options.stall_seconds);
	curl->easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)HTTP_BLOCK);
	set_protocols(curl, easy, strncasecmp(flight->transfer->url, "https:", 6) == 0);
	if (flight->offset > 0)
		curl->easy_setopt(easy, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)flight->offset);
	curl->multi_add_handle(http->multi, easy);
	return 0;
}

/* --- the end of a try -------------------------------------------------------------------------- */

static int check_bytes(struct flight *flight)
{
	struct http_transfer *transfer = flight->transfer;
	char want[VARVE_DIGEST_TEXT], got[VARVE_DIGEST_TEXT];
	CLEANUP(free_ptr) char *cause = NULL;

	hasher_final(flight->hasher, &transfer->got);
	transfer->got_size = flight->offset;
	if (!transfer->want || varve_digest_equal(transfer->want, &transfer->got))
		return transfer->result = 0;
	cause = xasprintf("wrong bytes: want %s, got %s", varve_digest_text(transfer->want, want),
			  varve_digest_text(&transfer->got, got));
	return fail(flight, -VARVE_E_DIGEST, cause);
}

static bool is_passing_status(long status)
{
	return status == 408 || status == 429 || status >= 500;
}

static bool is_passing_code(CURLcode code)
{
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return true;
	default:
		return false;
	}
}

/* True when the failure may pass and a try is left: sets the time of the next one. */
static bool try_again(struct flight *flight, long status, CURLcode code)
{
	curl_off_t after = 0;
	int64_t wait = (int64_t)HTTP_WAIT << (flight->tried - 1);

	if (flight->tried >= flight->http->options.tries)
		return false;
	if (code == CURLE_OK ? !is_passing_status(status) : !is_passing_code(code))
		return false;
	flight->http->curl.easy_getinfo(flight->easy, CURLINFO_RETRY_AFTER, &after);
	if (after * 1000 > wait)
		wait = after * 1000;
	flight->not_before = now_ms() + (wait < HTTP_WAIT_MAX ? wait : HTTP_WAIT_MAX);
	return true;
}

static int describe(struct flight *flight, long status, CURLcode code)
{
	CLEANUP(free_ptr) char *cause = NULL;

	if (flight->problem == -EFBIG)
		return fail(flight, -VARVE_E_DIGEST, "more bytes than expected");
	if (flight->problem < 0)
		return fail(flight, flight->problem, "write what was downloaded");
	if (status == 404)
		return fail(flight, -VARVE_E_NOT_FOUND, "not there (HTTP status 404)");
	if (code == CURLE_FILE_COULDNT_READ_FILE)
		return fail(flight, -VARVE_E_NOT_FOUND, "no such file");
	if (code == CURLE_OPERATION_TIMEDOUT)
		cause = xasprintf("no byte for too long, after %ju bytes (%u tries)",
				  (uintmax_t)flight->offset, flight->tried);
	else if (code != CURLE_OK)
		cause = xasprintf("%s, after %ju bytes (%u tries)", flight->http->curl.easy_strerror(code),
				  (uintmax_t)flight->offset, flight->tried);
	else
		cause = xasprintf("HTTP status %ld (%u tries)", status, flight->tried);
	return fail(flight, -VARVE_E_NETWORK, cause);
}

static void end_try(struct flight *flight, CURLcode code)
{
	struct http_transfer *transfer = flight->transfer;
	long status = status_of(flight), filetime = -1;

	/* A range beyond the end: what lies here is not the start of that file. */
	if (status == 416 && flight->offset > 0 && restart(flight) == 0)
		status = 500;
	/* A connection that closes early without a length looks like a success. */
	if (code == CURLE_OK && status < 300 && transfer->size > 0 && flight->offset < transfer->size)
		code = CURLE_PARTIAL_FILE;
	if (flight->problem == 0 && try_again(flight, status, code))
		return;
	flight->ended = true;
	flight->http->curl.easy_getinfo(flight->easy, CURLINFO_FILETIME, &filetime);
	transfer->last_modified = filetime > 0 ? filetime : 0;
	if (code != CURLE_OK || status >= 300 || flight->problem < 0)
		(void)describe(flight, status, code);
	else
		(void)check_bytes(flight);
}

static void land(struct flight *flight, CURLcode code)
{
	end_try(flight, code);
	flight->http->curl.multi_remove_handle(flight->http->multi, flight->easy);
	flight->http->curl.easy_cleanup(flight->easy);
	flight->easy = NULL;
}

/* --- all of them ------------------------------------------------------------------------------- */

static size_t start_some(struct http *http, struct flight *flights, size_t count)
{
	size_t i, under_way = 0, left = 0;

	for (i = 0; i < count; i++)
		under_way += flights[i].easy != NULL;
	for (i = 0; i < count; i++) {
		left += !flights[i].ended;
		if (flights[i].ended || flights[i].easy || under_way >= http->options.parallel ||
		    flights[i].not_before > now_ms())
			continue;
		if (take_off(&flights[i]) < 0)
			flights[i].ended = true;
		else
			under_way++;
	}
	return left;
}

static uint64_t bytes_so_far(const struct flight *flights, size_t count)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < count; i++)
		sum += flights[i].offset;
	return sum;
}

static void collect(struct http *http, struct flight *flights, size_t count, http_progress progress,
		    void *cookie)
{
	struct flight *flight = NULL;
	CURLMsg *message;
	int left;

	while ((message = http->curl.multi_info_read(http->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		http->curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&flight);
		land(flight, message->data.result);
		if (flight->ended && progress)
			progress(cookie, flight->transfer, bytes_so_far(flights, count));
	}
	if (progress)
		progress(cookie, NULL, bytes_so_far(flights, count));
}

static void run(struct http *http, struct flight *flights, size_t count, http_progress progress,
		void *cookie)
{
	int running;

	while (start_some(http, flights, count) > 0) {
		http->curl.multi_perform(http->multi, &running);
		collect(http, flights, count, progress, cookie);
		if (running > 0 || start_some(http, flights, count) > 0)
			http->curl.multi_poll(http->multi, NULL, 0, HTTP_POLL, NULL);
	}
}

int http_fetch(struct http *http, struct http_transfer *transfers, size_t count,
	       http_progress progress, void *cookie, struct varve_error *err)
{
	CLEANUP(free_ptr) struct flight *flights = xcalloc(count + 1, sizeof(*flights));
	size_t i;
	int r = 0;

	for (i = 0; i < count; i++) {
		flights[i] = (struct flight){
			.http = http, .transfer = &transfers[i], .hasher = hasher_new()};
		if (hash_start(&flights[i]) < 0)
			flights[i].problem = restart(&flights[i]);
	}
	run(http, flights, count, progress, cookie);
	for (i = 0; i < count; i++) {
		hasher_free(flights[i].hasher);
		if (r == 0 && transfers[i].result < 0) {
			r = transfers[i].result;
			if (err)
				*err = transfers[i].error;
		}
	}
	return r;
}
