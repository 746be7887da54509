/* SPDX-License-Identifier: Apache-2.0
 * One request to the real server, its answer streamed to the step and, where it may become a
 * source, into the store. */
#ifndef RECORD_RECORD_UPSTREAM_H
#define RECORD_RECORD_UPSTREAM_H

#include "base/buf.h"
#include "net/curl_door.h"
#include "record/record.h"
#include "record/record_head.h"
#include "record/record_tls.h"
#include "store/store.h"

struct record_upstream {
	const struct curl_door *curl;
	CURL *easy; /* kept for the connection's life: servers are kept connected */
	struct varve_store *store;
	struct record_stream *client;
};
struct record_request {
	const struct record_head *head;
	const char *url;
	const struct buf *body;
	bool close; /* the connection ends with the answer, and is to say so */
};
/* Fills method, url and all that follows of ret. False where the connection to the step cannot go
 * on. */
bool record_upstream_ask(struct record_upstream *upstream, const struct record_request *request,
			 struct record_exchange *ret);
/* An answer of the proxy's own. */
bool record_answer(struct record_stream *client, unsigned status, const char *text, bool close);

#endif
