/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record_serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/cleanup.h"

enum { IDLE_SECONDS = 60, BODY_MEMORY = 16 << 20, TLS_HANDSHAKE = 0x16 };

struct visit {
	const struct record_service *service;
	struct record_stream client;
	struct record_upstream upstream;
	const char *scheme;
	char *host; /* HOST[:PORT] of the connection; NULL: each request says it; owned */
};

void record_tell(const struct record_service *service, const struct record_exchange *exchange)
{
	CLEANUP(json_decrefp) json_t *object = record_exchange_to_json(exchange);
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_canonical(object, &text);
	(void)send(service->told, text.data, text.len, MSG_NOSIGNAL);
}

static void tell_lost(const struct visit *visit, const char *what, const char *why)
{
	struct record_exchange exchange = {
		.method = xstrdup("CONNECT"), .url = xstrdup(what), .why = xstrdup(why)};

	record_tell(visit->service, &exchange);
	record_exchange_release(&exchange);
}

static bool read_head(struct visit *visit, struct record_head *ret, struct varve_error *err)
{
	struct record_stream *client = &visit->client;
	size_t len;

	while (!(len = record_head_length(client->data + client->start,
					  client->end - client->start)))
		if (!record_stream_fill(client))
			return false;
	if (record_head_parse(client->data + client->start, len, ret, err) < 0)
		return false;
	client->start += len;
	return true;
}

/* NULL: it is there. */
static const char *read_body(struct visit *visit, const struct record_head *head, struct buf *ret)
{
	struct record_stream *client = &visit->client;

	if (head->chunked)
		return "a body of unknown length cannot be passed on";
	if (head->length > BODY_MEMORY)
		return "a body of more than 16 MiB cannot be passed on";
	if (head->expects && !record_stream_write(client, "HTTP/1.1 100 Continue\r\n\r\n", 25))
		return "the step broke it off";
	while (ret->len < head->length) {
		size_t part = client->end - client->start;

		if (part == 0 && !record_stream_fill(client))
			return "the step broke it off";
		part = client->end - client->start;
		if (part > head->length - ret->len)
			part = (size_t)head->length - ret->len;
		buf_add(ret, client->data + client->start, part);
		client->start += part;
	}
	return NULL;
}

/* What a source cannot stand for, as far as the request shows it. */
static const char *why_not(const struct record_head *head)
{
	if (record_head_field(head, "Upgrade"))
		return "it wants another protocol (Upgrade)";
	if (record_head_has_credentials(head))
		return "it needs credentials";
	if (head->has_body)
		return "the request has a body";
	if (strcmp(head->method, "GET") != 0 && strcmp(head->method, "HEAD") != 0)
		return "only GET fetches a file";
	if (record_head_field(head, "Range"))
		return "only a part of the file was asked for";
	return NULL;
}

static bool forward(struct visit *visit, const struct record_head *head, const char *url)
{
	CLEANUP(record_exchange_release)
	struct record_exchange exchange = {.method = xstrdup(head->method), .url = xstrdup(url)};
	CLEANUP(buf_release) struct buf body = BUF_INIT;
	const char *why = why_not(head), *failure;
	bool go_on;

	exchange.python = record_head_python(head);
	exchange.why = why ? xstrdup(why) : NULL;
	failure = record_head_field(head, "Upgrade") ? why : read_body(visit, head, &body);
	if (failure) {
		free(exchange.why);
		exchange.why = xstrdup(failure);
		go_on = record_answer(&visit->client, 501, failure, true);
	} else {
		go_on = record_upstream_ask(&visit->upstream,
					    &(struct record_request){head, url, &body, head->close},
					    &exchange);
	}
	record_tell(visit->service, &exchange);
	return go_on;
}

static bool exchange_one(struct visit *visit)
{
	CLEANUP(record_head_release) struct record_head head = {0};
	CLEANUP(free_ptr) char *url = NULL;
	struct varve_error err = {0};

	if (!read_head(visit, &head, &err)) {
		if (err.code != 0) {
			tell_lost(visit, visit->host ? visit->host : "the proxy", err.text);
			(void)record_answer(&visit->client, 400, err.text, true);
		}
		return false;
	}
	url = record_head_url(&head, visit->scheme, visit->host);
	if (!url)
		return record_answer(&visit->client, 400, "the target is no http URL", true);
	return forward(visit, &head, url);
}

/* "[::1]:443" -> "::1", "a.org:443" -> "a.org" */
static char *host_alone(const char *host)
{
	if (*host == '[')
		return xstrndup(host + 1, strcspn(host + 1, "]"));
	return xstrndup(host, strcspn(host, ":"));
}

static bool secure(struct visit *visit)
{
	CLEANUP(free_ptr) char *alone = visit->host ? host_alone(visit->host) : NULL;

	if (!record_stream_secure(&visit->client, alone)) {
		tell_lost(visit, visit->host ? visit->host : "port 443",
			  "the client does not trust the recording's authority, or speaks no TLS "
			  "1.2");
		return false;
	}
	visit->scheme = "https";
	if (!visit->host)
		visit->host = xstrdup(visit->client.host);
	else if (str_ends(visit->host, ":443"))
		visit->host[strlen(visit->host) - 4] = '\0';
	return true;
}

/* What stands in the tunnel: TLS is opened, all else is named. */
static bool open_tunnel(struct visit *visit, const struct record_head *head)
{
	unsigned char first;

	if (!record_is_host(head->target))
		return record_answer(&visit->client, 400, "the target is no host", true);
	visit->host = xstrdup(head->target);
	if (visit->client.start != visit->client.end ||
	    !record_stream_write(&visit->client, "HTTP/1.1 200 Connected\r\n\r\n", 26) ||
	    recv(visit->client.fd, &first, 1, MSG_PEEK) != 1)
		return false;
	if (first == TLS_HANDSHAKE)
		return secure(visit);
	tell_lost(visit, visit->host, "what is spoken there is neither http nor TLS");
	return false;
}

/* The first request decides what the connection is. */
static bool begin(struct visit *visit, enum record_port port)
{
	CLEANUP(record_head_release) struct record_head head = {0};
	struct record_stream *client = &visit->client;
	struct varve_error err = {0};

	if (port == RECORD_HTTPS)
		return secure(visit);
	while (client->end < 8 && record_stream_fill(client))
		;
	if (client->end < 8 || memcmp(client->data, "CONNECT ", 8) != 0)
		return client->end > 0;
	if (!read_head(visit, &head, &err))
		return false;
	return open_tunnel(visit, &head);
}

void record_serve(const struct record_service *service, int fd, enum record_port port)
{
	const struct timeval idle = {.tv_sec = IDLE_SECONDS};
	struct visit *visit = xcalloc(1, sizeof(*visit));

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &idle, sizeof(idle));
	visit->service = service;
	visit->scheme = "http";
	visit->client.door = &service->tls;
	visit->client.authority = &service->authority;
	visit->client.fd = fd;
	visit->upstream = (struct record_upstream){.curl = &service->curl,
						   .easy = service->curl.easy_init(),
						   .store = service->store,
						   .client = &visit->client};
	if (visit->upstream.easy && begin(visit, port))
		while (exchange_one(visit))
			;
	if (visit->upstream.easy)
		service->curl.easy_cleanup(visit->upstream.easy);
	record_stream_release(&visit->client);
	free(visit->host);
	free(visit);
}
