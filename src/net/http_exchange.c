/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_exchange.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <varve/version.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "net/curl_door.h"
#include "net/http_cause.h"
#include "net/http_url.h"

enum {
	CONNECT_SECONDS = 30,
	STALL_SECONDS = 60,
	BUFFER_SIZE = 512 << 10,
	TEXT_LIMIT = 1 << 20,
	ERRNO_LIMIT = 1000,
	HEADER_LIMIT = 256 << 10, /* bytes of all headers of an answer */
};

struct http_client {
	struct curl_door curl;
	CURL *easy;
};

/* A request under way. */
struct exchange {
	struct http_client *client;
	const struct http_request *request;
	struct http_answer *answer;
	struct curl_slist *headers;
	size_t header_bytes;
	uint64_t taken; /* bytes of the answer */
	int64_t moved_at; /* ms: when a byte last went or came */
	uint64_t moved; /* bytes in both directions until then */
	const char *host;
	bool loopback;
	bool begun;
	bool stalled;
	bool barred; /* the address is none that a server may send us to */
	bool proxy_refused; /* the proxy wants no connection to there */
	int own; /* why we broke off; 0: we did not */
	char text[CURL_ERROR_SIZE];
};

int http_client_new(struct http_client **ret, struct varve_error *err)
{
	CLEANUP(http_client_freep) struct http_client *client = xcalloc(1, sizeof(*client));
	int r = curl_door_open(&client->curl, err);

	if (r < 0)
		return r;
	client->easy = client->curl.easy_init();
	if (!client->easy)
		return varve_error_set(err, -VARVE_E_HOST, "libcurl does not start");
	*ret = steal_ptr(&client);
	return 0;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	if (client->easy)
		client->curl.easy_cleanup(client->easy);
	free(client);
}

void http_client_freep(struct http_client **client)
{
	http_client_free(*client);
	*client = NULL;
}

void http_trust_release(struct http_trust *trust)
{
	free(trust->authorities);
	free(trust->certificate);
	free(trust->key);
	*trust = (struct http_trust){0};
}

const char *http_header(const struct strv *headers, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < headers->count; i++) {
		const char *line = headers->items[i];

		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

void http_answer_release(struct http_answer *answer)
{
	strv_release(&answer->headers);
	buf_release(&answer->text);
	free(answer->redirect);
	free(answer->url);
	*answer = (struct http_answer){0};
}

/* --- what libcurl calls --------------------------------------------------------------------------
 */

static size_t on_give(char *data, size_t size, size_t count, void *cookie)
{
	struct exchange *x = cookie;
	size_t len = size * count;
	uint64_t left = x->request->size - x->answer->given;
	ssize_t n;

	if (left < len)
		len = (size_t)left;
	if (len == 0)
		return 0;
	n = x->request->give(x->request->cookie, data, len);
	if (n <= 0) {
		x->own = n < 0 ? (int)n : -EIO;
		return CURL_READFUNC_ABORT;
	}
	x->answer->given += (uint64_t)n;
	return (size_t)n;
}

static size_t on_header(char *line, size_t size, size_t count, void *cookie)
{
	struct exchange *x = cookie;
	size_t len = size * count, end = len;

	/* Of several answers (100 Continue, a proxy's) the last counts. */
	if (len > 5 && strncmp(line, "HTTP/", 5) == 0) {
		strv_release(&x->answer->headers);
		return len;
	}
	x->header_bytes += len;
	if (x->header_bytes > HEADER_LIMIT)
		return 0;
	while (end > 0 && strchr("\r\n \t", line[end - 1]))
		end--;
	if (end > 0 && !memchr(line, '\0', end))
		strv_take(&x->answer->headers, xstrndup(line, end));
	return len;
}

static int begin_answer(struct exchange *x, long status)
{
	x->begun = true;
	if (!x->request->begin)
		return 0;
	return x->request->begin(x->request->cookie, status, &x->answer->headers);
}

static size_t keep_text(struct exchange *x, long status, const char *data, size_t len)
{
	size_t limit = x->request->limit ? x->request->limit : TEXT_LIMIT;
	size_t room = limit - x->answer->text.len;

	if (len > room && status / 100 == 2)
		x->own = -VARVE_E_LIMIT;
	buf_add(&x->answer->text, data, len < room ? len : room);
	return len > room ? 0 : len;
}

static size_t on_take(char *data, size_t size, size_t count, void *cookie)
{
	struct exchange *x = cookie;
	size_t len = size * count;
	long status = 0;

	(void)x->client->curl.easy_getinfo(x->client->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!x->request->take || (status != 200 && status != 206))
		return keep_text(x, status, data, len);
	if (!x->begun)
		x->own = begin_answer(x, status);
	if (x->own == 0)
		x->own = x->request->take(x->request->cookie, data, len);
	x->taken += len;
	return x->own < 0 ? 0 : len;
}

static int on_progress(void *cookie, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
		       curl_off_t up)
{
	struct exchange *x = cookie;
	unsigned stall = x->request->stall_seconds ? x->request->stall_seconds : STALL_SECONDS;
	uint64_t moved = (uint64_t)down + (uint64_t)up;
	int64_t now = clock_ms();

	(void)down_total;
	(void)up_total;
	if (x->request->stop && *x->request->stop)
		x->own = -VARVE_E_CANCELLED;
	if (moved != x->moved) {
		x->moved = moved;
		x->moved_at = now;
	}
	x->stalled = now - x->moved_at >= (int64_t)stall * 1000;
	return x->own < 0 || x->stalled;
}

/* A proxy's address says nothing of where it leads. Before libcurl 8.7 it has to be guessed whether
 * there is one: from its answer to CONNECT, or else from the environment. */
static bool is_proxied(const struct exchange *x)
{
	long connected = 0;

	if (x->loopback)
		return false;
	(void)x->client->curl.easy_getinfo(x->client->easy, CURLINFO_HTTP_CONNECTCODE, &connected);
	return connected != 0 || getenv("all_proxy") || getenv("ALL_PROXY") ||
	       (getenv("http_proxy") && http_url_has_scheme(x->request->url, "http"));
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* Connected, and nothing sent yet: names may lead anywhere, and elsewhere each time. */
static int on_connected(void *cookie, char *address, char *own, int port, int own_port)
{
	struct exchange *x = cookie;
	const enum http_reach *from = x->request->sent_by;

	(void)own;
	(void)port;
	(void)own_port;
	if (!is_proxied(x))
		x->answer->reach = http_reach_of(address);
	x->barred = from && !http_reach_may_lead(*from, x->answer->reach);
	return x->barred ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}
#endif

/* --- setting up ----------------------------------------------------------------------------------
 */

static void set_method(struct exchange *x)
{
	CURLcode (*set)(CURL *, CURLoption, ...) = x->client->curl.easy_setopt;
	const char *method = x->request->method;
	CURL *easy = x->client->easy;

	if (str_equal(method, "HEAD")) {
		(void)set(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (str_equal(method, "GET") || str_equal(method, "DELETE")) {
		(void)set(easy, CURLOPT_HTTPGET, 1L);
	} else {
		(void)set(easy, CURLOPT_UPLOAD, 1L);
		(void)set(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->request->size);
		(void)set(easy, CURLOPT_READFUNCTION, on_give);
		(void)set(easy, CURLOPT_READDATA, (void *)x);
		(void)set(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER_SIZE);
	}
	(void)set(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_trust(struct exchange *x, const struct http_trust *trust)
{
	CURLcode (*set)(CURL *, CURLoption, ...) = x->client->curl.easy_setopt;
	CURL *easy = x->client->easy;

	(void)set(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (!trust)
		return;
	if (trust->insecure) {
		(void)set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (trust->authorities) {
		struct curl_blob pem = {trust->authorities, strlen(trust->authorities),
					CURL_BLOB_COPY};

		(void)set(easy, CURLOPT_CAINFO_BLOB, &pem);
	}
	if (trust->certificate)
		(void)set(easy, CURLOPT_SSLCERT, trust->certificate);
	if (trust->key)
		(void)set(easy, CURLOPT_SSLKEY, trust->key);
}

static void set_headers(struct exchange *x)
{
	const struct strv *headers = x->request->headers;

	for (size_t i = 0; headers && i < headers->count; i++)
		x->headers = x->client->curl.slist_append(x->headers, headers->items[i]);
	x->headers = x->client->curl.slist_append(x->headers, "Accept-Encoding: identity");
	(void)x->client->curl.easy_setopt(x->client->easy, CURLOPT_HTTPHEADER, x->headers);
}

/* A libcurl without that call must not be sent anywhere. */
static CURLcode set_check(struct exchange *x)
{
#if LIBCURL_VERSION_NUM >= 0x075000
	CURLcode (*set)(CURL *, CURLoption, ...) = x->client->curl.easy_setopt;
	CURLcode code = set(x->client->easy, CURLOPT_PREREQFUNCTION, on_connected);

	(void)set(x->client->easy, CURLOPT_PREREQDATA, (void *)x);
#else
	CURLcode code = CURLE_UNKNOWN_OPTION;
#endif
	return x->request->sent_by ? code : CURLE_OK;
}

static CURLcode set_options(struct exchange *x)
{
	CURLcode (*set)(CURL *, CURLoption, ...) = x->client->curl.easy_setopt;
	CURL *easy = x->client->easy;

	x->client->curl.easy_reset(easy);
	(void)set(easy, CURLOPT_URL, x->request->url);
	(void)set(easy, CURLOPT_USERAGENT, "varve/" VARVE_VERSION);
	(void)set(easy, CURLOPT_NOSIGNAL, 1L);
	(void)set(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)set(easy, CURLOPT_ERRORBUFFER, x->text);
	(void)set(easy, CURLOPT_WRITEFUNCTION, on_take);
	(void)set(easy, CURLOPT_WRITEDATA, (void *)x);
	(void)set(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)set(easy, CURLOPT_HEADERDATA, (void *)x);
	(void)set(easy, CURLOPT_NOPROGRESS, 0L);
	(void)set(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)set(easy, CURLOPT_XFERINFODATA, (void *)x);
	(void)set(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	(void)set(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
	(void)set(easy, CURLOPT_FOLLOWLOCATION, 0L);
	(void)set(easy, CURLOPT_PATH_AS_IS, 1L);
	if (x->loopback) /* no proxy leads back here */
		(void)set(easy, CURLOPT_PROXY, "");
	if (x->request->fresh)
		(void)set(easy, CURLOPT_FRESH_CONNECT, 1L);
	set_method(x);
	set_trust(x, x->request->trust);
	set_headers(x);
	if (set_check(x) != CURLE_OK)
		return CURLE_UNKNOWN_OPTION;
#if LIBCURL_VERSION_NUM >= 0x075500
	return set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	return set(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* --- the end -------------------------------------------------------------------------------------
 */

static void read_answer(struct exchange *x)
{
	const struct curl_door *curl = &x->client->curl;
	curl_off_t wait = 0;
	char *redirect = NULL;
	long proxy = 0;

	(void)curl->easy_getinfo(x->client->easy, CURLINFO_RESPONSE_CODE, &x->answer->status);
	(void)curl->easy_getinfo(x->client->easy, CURLINFO_RETRY_AFTER, &wait);
	(void)curl->easy_getinfo(x->client->easy, CURLINFO_REDIRECT_URL, &redirect);
	(void)curl->easy_getinfo(x->client->easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
	x->proxy_refused = proxy / 100 == 4;
	x->answer->retry_after = wait;
	if (redirect)
		x->answer->redirect = xstrdup(redirect);
}

static int fail(const struct exchange *x, CURLcode code, struct varve_error *err)
{
	const struct curl_door *curl = &x->client->curl;
	unsigned stall = x->request->stall_seconds ? x->request->stall_seconds : STALL_SECONDS;
	CLEANUP(free_ptr) char *origin = http_url_origin(x->request->url);
	char buffer[128];
	long reason = 0;

	if (x->barred) {
		varve_error_set(err, -VARVE_E_NETWORK,
				"the registry sends us to %s (%s), where one of %s has no "
				"business: not followed",
				x->host, http_reach_text(x->answer->reach),
				http_reach_text(*x->request->sent_by));
		varve_error_hint(err, "if it is right: --trust-realm %s", x->host);
		return -VARVE_E_NETWORK;
	}
	if (x->stalled)
		return varve_error_set(err, -VARVE_E_NETWORK,
				       "the connection was silent for %u seconds", stall);
	(void)curl->easy_getinfo(x->client->easy, CURLINFO_OS_ERRNO, &reason);
	if (code == CURLE_COULDNT_CONNECT && reason > 0 && reason < ERRNO_LIMIT)
		varve_error_set(err, -VARVE_E_NETWORK, "no connection to %s: %s", origin,
				strerror_r((int)reason, buffer, sizeof(buffer)));
	else
		varve_error_set(err, -VARVE_E_NETWORK, "%s",
				x->text[0] ? x->text : curl->easy_strerror(code));
	if (x->proxy_refused)
		varve_error_hint(err, "that was the proxy's answer (https_proxy)");
	else if (reason == ECONNREFUSED && x->loopback)
		varve_error_hint(err, "no program of this machine listens there");
	else if (http_cause_hint(code))
		varve_error_hint(err, "%s", http_cause_hint(code));
	return -VARVE_E_NETWORK;
}

static int judge(struct exchange *x, CURLcode code, struct varve_error *err)
{
	struct http_answer *answer = x->answer;

	if (x->own == -VARVE_E_CANCELLED)
		return varve_error_set(err, x->own, "stopped");
	if (x->own == -VARVE_E_LIMIT && !x->request->take)
		return varve_error_set(err, x->own,
				       "the answer is larger than the %zu bytes allowed",
				       x->answer->text.len);
	if (x->own < 0)
		return x->own;
	/* A refusal counts also where the connection broke behind it, as it does when the server
	 * wants no more of a body. */
	if (code == CURLE_OK || (answer->status >= 400 && code != CURLE_OK))
		return 0;
	answer->untrusted = code == CURLE_PEER_FAILED_VERIFICATION ||
			    code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CACERT_BADFILE ||
			    code == CURLE_SSL_ISSUER_ERROR;
	answer->refused = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
			  code == CURLE_COULDNT_RESOLVE_PROXY;
	answer->broken = x->stalled || answer->refused || http_cause_is_break(code) ||
			 code == CURLE_OPERATION_TIMEDOUT;
	answer->unproven = x->text[0] && http_cause_is_unproven(code, x->text);
	answer->broken = answer->broken && !x->proxy_refused && !answer->unproven;
	answer->status = 0;
	return fail(x, code, err);
}

int http_exchange(struct http_client *client, const struct http_request *request,
		  struct http_answer *ret, struct varve_error *err)
{
	struct exchange x = {.client = client, .request = request, .answer = ret};
	CLEANUP(free_ptr) char *host = http_url_host(request->url);
	CURLcode code;
	int r;

	*ret = (struct http_answer){0};
	x.moved_at = clock_ms();
	x.host = host;
	x.loopback = http_host_is_loopback(host);
	/* A library that is older than the headers may not know the option. */
	if (set_options(&x) != CURLE_OK)
		r = varve_error_set(err, -VARVE_E_HOST,
				    "this libcurl is too old: it cannot be kept to http and https, "
				    "or to safe addresses");
	else {
		code = client->curl.easy_perform(client->easy);
		read_answer(&x);
		/* An empty body begins nothing by itself. */
		if (code == CURLE_OK && request->take && !x.begun &&
		    (ret->status == 200 || ret->status == 206))
			x.own = begin_answer(&x, ret->status);
		r = judge(&x, code, err);
	}
	client->curl.slist_free_all(x.headers);
	return r;
}
