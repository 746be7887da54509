/* SPDX-License-Identifier: Apache-2.0
 * The bytes of one download: written, counted and hashed as they come, across broken connections.
 *	http_body_begin -> (http_body_take* -> [http_body_restart])* -> http_body_finish */
#ifndef NET_HTTP_BODY_H
#define NET_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "net/http.h"

struct hash_beside;

struct http_body {
	struct http_transfer *transfer;
	struct hash_beside *hasher;
	uint64_t offset; /* bytes that came, the pending ones included */
	unsigned char *pending; /* the last of them, not written and not hashed yet; owned */
	size_t pending_len;
	int64_t flushed_at; /* ms: when the pending ones were written last */
	uint64_t best; /* the largest offset ever reached */
	bool pieced; /* holds bytes from before the present connection */
};

/* Hashes what resume_from promises; starts at 0 where the file is shorter than that. */
int http_body_begin(struct http_body *body, struct http_transfer *transfer,
		    struct varve_error *err);
/* -VARVE_E_DIGEST or -VARVE_E_LIMIT as soon as there are too many. */
int http_body_take(struct http_body *body, const void *data, size_t len, struct varve_error *err);
int http_body_restart(struct http_body *body, struct varve_error *err);
/* Checks size and digest, fills got and got_size. -EAGAIN without a text: too few bytes so far. */
int http_body_finish(struct http_body *body, struct varve_error *err);
void http_body_release(struct http_body *body);

#endif
