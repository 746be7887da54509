/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record_upstream.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/digest.h"

enum { CONNECT_SECONDS = 30, STALL_SECONDS = 60, HEADERS_LIMIT = 64 << 10 };
#define BODY_LIMIT (64ULL << 30)

/* An answer on its way. */
struct answer {
	struct record_upstream *upstream;
	const struct record_request *request;
	struct record_exchange *exchange;
	struct buf fields; /* those handed on */
	size_t header_bytes; /* of all */
	unsigned status;
	bool has_length, coded; /* Content-Length, Content-Encoding */
	bool sent; /* the head is with the step */
	bool chunked, gone, flooded;
	struct store_blob_writer writer;
	bool keeps; /* the body goes into the store */
	struct varve_error error;
};

static bool is_method(const struct answer *answer, const char *name)
{
	return strcmp(answer->request->head->method, name) == 0;
}

static bool has_no_body(const struct answer *answer)
{
	return is_method(answer, "HEAD") || answer->status == 204 || answer->status == 304;
}

bool record_answer(struct record_stream *client, unsigned status, const char *text, bool close)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;

	buf_addf(&out,
		 "HTTP/1.1 %u %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n%s\r\n%s\n",
		 status, status == 400 ? "Bad Request" : "Not Recorded", strlen(text) + 1,
		 close ? "Connection: close\r\n" : "", text);
	return record_stream_write(client, out.data, out.len) && !close;
}

/* Once per answer, when its fields are known. */
static bool send_head(struct answer *answer)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	bool old = answer->request->head->minor == 0;

	answer->sent = true;
	answer->chunked = !answer->has_length && !has_no_body(answer) && !old;
	buf_addf(&out, "HTTP/1.1 %u %s\r\n%s", answer->status,
		 answer->status < 400 ? "OK" : "Error", buf_text(&answer->fields));
	if (answer->chunked)
		buf_addstr(&out, "Transfer-Encoding: chunked\r\n");
	if (answer->request->close)
		buf_addstr(&out, "Connection: close\r\n");
	buf_addstr(&out, "\r\n");
	return record_stream_write(answer->upstream->client, out.data, out.len);
}

/* Bytes that the server calls by the same name may be others for somebody else. */
static bool may_keep(const struct answer *answer)
{
	return is_method(answer, "GET") && answer->status == 200 && !answer->coded &&
	       !answer->exchange->why;
}

static void begin_body(struct answer *answer)
{
	answer->keeps = may_keep(answer);
	if (answer->keeps &&
	    store_blob_begin(answer->upstream->store, &answer->writer, &answer->error) < 0)
		answer->gone = true;
	if (!answer->gone && !send_head(answer))
		answer->gone = true;
}

static bool send_piece(struct answer *answer, const char *data, size_t len)
{
	struct record_stream *client = answer->upstream->client;
	char size[32];
	int n = snprintf(size, sizeof(size), "%zx\r\n", len);

	if (!answer->chunked)
		return record_stream_write(client, data, len);
	return record_stream_write(client, size, (size_t)n) &&
	       record_stream_write(client, data, len) && record_stream_write(client, "\r\n", 2);
}

static size_t on_data(char *data, size_t size, size_t count, void *cookie)
{
	struct answer *answer = cookie;
	size_t len = size * count;

	if (!answer->sent)
		begin_body(answer);
	answer->exchange->size += len;
	if (answer->gone || answer->exchange->size > BODY_LIMIT)
		return 0;
	if (answer->keeps && sink_write(&answer->writer.sink, data, len) < 0)
		return 0;
	answer->gone = len > 0 && !send_piece(answer, data, len);
	return answer->gone ? 0 : len;
}

/* A new block: what an earlier one (100 Continue) said is over. */
static void begin_head(struct answer *answer, const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);

	buf_reset(&answer->fields);
	answer->has_length = false;
	answer->coded = false;
	answer->status = space ? (unsigned)strtoul(space + 1, NULL, 10) : 0;
}

static void set_type(struct record_exchange *exchange, const char *value)
{
	char *at;

	free(exchange->type);
	exchange->type = xstrndup(value, strcspn(value, "; \t"));
	for (at = exchange->type; *at; at++)
		*at = (char)tolower((unsigned char)*at);
}

static void take_field(struct answer *answer, const char *name, const char *value)
{
	if (strcasecmp(name, "Content-Length") == 0)
		answer->has_length = true;
	else if (record_field_is_hop(name) || strcasecmp(name, "Alt-Svc") == 0)
		return;
	if (strcasecmp(name, "Content-Encoding") == 0 && strcasecmp(value, "identity") != 0)
		answer->coded = true;
	if (strcasecmp(name, "Content-Type") == 0)
		set_type(answer->exchange, value);
	buf_addf(&answer->fields, "%s: %s\r\n", name, value);
}

static size_t on_header(char *line, size_t size, size_t count, void *cookie)
{
	struct answer *answer = cookie;
	size_t len = size * count, end = len;
	CLEANUP(free_ptr) char *text = NULL;
	char *colon;

	answer->header_bytes += len;
	answer->flooded = answer->header_bytes > HEADERS_LIMIT;
	if (answer->flooded)
		return 0;
	while (end > 0 && isspace((unsigned char)line[end - 1]))
		end--;
	text = xstrndup(line, end);
	if (str_starts(text, "HTTP/")) {
		begin_head(answer, text, end);
		return len;
	}
	colon = strchr(text, ':');
	if (colon && colon > text && !strpbrk(text, "\r\n")) {
		*colon = '\0';
		take_field(answer, text, colon + 1 + strspn(colon + 1, " \t"));
	}
	return len;
}

/* --- the request ---------------------------------------------------------------------------------
 */

/* What would make the answer another one than the next who asks will get. */
static bool is_conditional(const char *name)
{
	return strncasecmp(name, "If-", 3) == 0 || strcasecmp(name, "Accept-Encoding") == 0;
}

static struct curl_slist *list_fields(const struct answer *answer)
{
	const struct record_head *head = answer->request->head;
	static const char *const own[] = {"Accept", "User-Agent", "Content-Type"};
	const struct curl_door *curl = answer->upstream->curl;
	struct curl_slist *list = curl->slist_append(NULL, "Expect:");
	size_t i;

	for (i = 0; i < head->count; i++) {
		const struct record_field *field = &head->fields[i];
		CLEANUP(free_ptr) char *line = NULL;

		if (record_field_is_hop(field->name) || is_conditional(field->name))
			continue;
		line = *field->value ? xasprintf("%s: %s", field->name, field->value)
				     : xasprintf("%s;", field->name);
		list = curl->slist_append(list, line);
	}
	for (i = 0; i < ARRAY_SIZE(own); i++) {
		CLEANUP(free_ptr) char *line = xasprintf("%s:", own[i]);

		if (!record_head_field(head, own[i]))
			list = curl->slist_append(list, line);
	}
	return list;
}

/* libcurl's own default is what it was built with; the variables are those of curl and OpenSSL. */
static void set_authorities(const struct record_upstream *upstream)
{
	const char *file = getenv("CURL_CA_BUNDLE");

	if (!file || !*file)
		file = getenv("SSL_CERT_FILE");
	if (file && *file)
		(void)upstream->curl->easy_setopt(upstream->easy, CURLOPT_CAINFO, file);
}

static void set_request(const struct answer *answer)
{
	CURLcode (*set)(CURL *, CURLoption, ...) = answer->upstream->curl->easy_setopt;
	CURL *easy = answer->upstream->easy;
	const struct buf *body = answer->request->body;

	if (is_method(answer, "HEAD")) {
		(void)set(easy, CURLOPT_NOBODY, 1L);
	} else if (body->len > 0 || is_method(answer, "POST") || is_method(answer, "PUT")) {
		(void)set(easy, CURLOPT_POST, 1L);
		(void)set(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
		(void)set(easy, CURLOPT_POSTFIELDS, buf_text(body));
	}
	if (!is_method(answer, "HEAD"))
		(void)set(easy, CURLOPT_CUSTOMREQUEST, answer->request->head->method);
}

static CURLcode set_options(struct answer *answer, const struct curl_slist *fields)
{
	CURLcode (*set)(CURL *, CURLoption, ...) = answer->upstream->curl->easy_setopt;
	CURL *easy = answer->upstream->easy;

	answer->upstream->curl->easy_reset(easy);
	(void)set(easy, CURLOPT_URL, answer->request->url);
	(void)set(easy, CURLOPT_PATH_AS_IS, 1L);
	(void)set(easy, CURLOPT_NOSIGNAL, 1L);
	(void)set(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)set(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	(void)set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	(void)set(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	(void)set(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)set(easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
	(void)set(easy, CURLOPT_HTTPHEADER, fields);
	(void)set(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)set(easy, CURLOPT_HEADERDATA, (void *)answer);
	(void)set(easy, CURLOPT_WRITEFUNCTION, on_data);
	(void)set(easy, CURLOPT_WRITEDATA, (void *)answer);
	set_authorities(answer->upstream);
	set_request(answer);
#if LIBCURL_VERSION_NUM >= 0x075500
	return set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	return set(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* --- the end -------------------------------------------------------------------------------------
 */

static void refuse(struct record_exchange *exchange, const char *why)
{
	if (!exchange->why)
		exchange->why = xstrdup(why);
}

/* The body came whole. */
static bool finish_body(struct answer *answer)
{
	struct record_exchange *exchange = answer->exchange;

	if (answer->chunked && !record_stream_write(answer->upstream->client, "0\r\n\r\n", 5))
		refuse(exchange, "the step broke it off");
	if (answer->coded)
		refuse(exchange, "the server compresses it for the way, whatever is asked for");
	if (answer->status == 206)
		refuse(exchange, "only a part of the file was asked for");
	if (answer->keeps &&
	    store_blob_commit(&answer->writer, NULL, &exchange->sha256, &answer->error) < 0)
		refuse(exchange, answer->error.text);
	/* Without a length the end of the connection is the end of the body. */
	return !answer->request->close &&
	       (answer->has_length || answer->chunked || has_no_body(answer));
}

static bool fail(struct answer *answer, CURLcode code)
{
	CLEANUP(free_ptr) char *text = NULL;

	if (answer->gone && answer->error.code == 0)
		refuse(answer->exchange, "the step broke it off");
	else if (answer->error.code != 0)
		refuse(answer->exchange, answer->error.text);
	else if (answer->flooded)
		refuse(answer->exchange, "the server's answer has more than 64 KiB of headers");
	text = xasprintf("the server fails: %s", answer->upstream->curl->easy_strerror(code));
	refuse(answer->exchange, text);
	/* An answer that has begun can only be cut: whoever reads it must see that it is short. */
	if (answer->sent || answer->gone)
		return false;
	return record_answer(answer->upstream->client, 502, answer->exchange->why,
			     answer->request->close);
}

static void answer_release(struct answer *answer)
{
	buf_release(&answer->fields);
	store_blob_abort(&answer->writer);
}

/* libcurl makes the address absolute. */
static void set_location(const struct answer *answer)
{
	const char *url = NULL;

	(void)answer->upstream->curl->easy_getinfo(answer->upstream->easy, CURLINFO_REDIRECT_URL,
						   &url);
	answer->exchange->location = url ? xstrdup(url) : NULL;
}

bool record_upstream_ask(struct record_upstream *upstream, const struct record_request *request,
			 struct record_exchange *ret)
{
	CLEANUP(answer_release)
	struct answer answer = {.upstream = upstream, .request = request, .exchange = ret};
	struct curl_slist *fields = list_fields(&answer);
	CURLcode code = set_options(&answer, fields);

	if (code == CURLE_OK)
		code = upstream->curl->easy_perform(upstream->easy);
	upstream->curl->slist_free_all(fields);
	ret->status = answer.status;
	set_location(&answer);
	if (code == CURLE_OK && !answer.sent)
		begin_body(&answer);
	if (code == CURLE_OK && !answer.gone)
		return finish_body(&answer);
	return fail(&answer, code);
}
