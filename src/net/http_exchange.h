/* SPDX-License-Identifier: Apache-2.0
 * One request and its answer, for protocols that are more than downloads (those: net/http.h). The
 * caller sees every status, redirections and refusals included; it decides what comes next.
 *
 *	http_client_new -> (http_exchange -> http_answer_release)* -> http_client_free
 *
 * A client is for one thread at a time and keeps its connections for the next request. HTTP/1.1:
 * uploads over HTTP/2 stall behind common proxies (registry reference, section 7). */
#ifndef NET_HTTP_EXCHANGE_H
#define NET_HTTP_EXCHANGE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <varve/error.h>
#include "base/buf.h"
#include "base/strv.h"
#include "net/http_reach.h"

struct http_client;

int http_client_new(struct http_client **ret, struct varve_error *err);
void http_client_free(struct http_client *client);
void http_client_freep(struct http_client **client);

/* Whom to trust, and who we are; all may be NULL: the system's authorities, no certificate. */
struct http_trust {
	char *authorities; /* PEM text, beside the system's */
	char *certificate, *key; /* of the client, PEM files */
	bool insecure; /* the server's certificate is not checked */
};
void http_trust_release(struct http_trust *trust);

struct http_request {
	const char *method; /* GET HEAD POST PUT PATCH DELETE */
	const char *url;
	const struct strv *headers; /* "Name: value"; may be NULL */
	const struct http_trust *trust; /* may be NULL */
	/* Gives up to len bytes of the body; 0: its end; negative: breaks off. NULL: no body. */
	ssize_t (*give)(void *cookie, void *data, size_t len);
	uint64_t size; /* of the body, exactly */
	/* Takes bytes of an answer with status 200 or 206; negative: breaks off. NULL: all of them
	 * go to the answer's text. */
	int (*take)(void *cookie, const void *data, size_t len);
	/* Called before the first byte is taken, with status and headers; negative: breaks off. */
	int (*begin)(void *cookie, long status, const struct strv *headers);
	void *cookie;
	size_t limit; /* bytes of text kept, 0: 1 MiB; more is -VARVE_E_LIMIT for status 200 */
	unsigned stall_seconds; /* no byte in either direction for that long: broken; 0: 60 */
	bool fresh; /* over a connection of its own */
	/* A server named the URL, not the user; it lies there. Then the address that is connected
	 * to must be one that it may name. NULL: the user named it. */
	const enum http_reach *sent_by;
	const volatile sig_atomic_t *stop; /* set: -VARVE_E_CANCELLED; may be NULL */
};

struct http_answer {
	long status; /* 0: none came */
	struct strv headers; /* "Name: value" of the last answer, in order */
	struct buf text; /* the body, where it was not taken */
	char *redirect; /* absolute URL, NULL: none */
	char *url; /* that answered, for callers that follow redirections; may be NULL */
	uint64_t given; /* bytes of the request's body that went to the connection */
	int64_t retry_after; /* seconds, 0: not told */
	bool refused; /* no connection at all: dead port, unknown host */
	bool untrusted; /* TLS is spoken, but the certificate (ours or theirs) will not do */
	bool unproven; /* TLS is spoken, and the server wants another certificate of us, or one */
	enum http_reach reach; /* of the address that answered; unknown: a proxy, or none did */
	bool broken; /* the connection broke, another may hold */
};

/* 0 when an answer came, whatever its status; ret is filled in any case. Else a negative code:
 * -VARVE_E_NETWORK (see broken and refused), -VARVE_E_CANCELLED, -VARVE_E_LIMIT, or what give,
 * begin or take returned, then without a text in err. */
int http_exchange(struct http_client *client, const struct http_request *request,
		  struct http_answer *ret, struct varve_error *err);
/* Value of the answer's first header of this name (case-insensitive), or NULL. Borrowed. */
const char *http_header(const struct strv *headers, const char *name);
void http_answer_release(struct http_answer *answer);

#endif
