/* SPDX-License-Identifier: Apache-2.0
 * Recording what a step fetches: a proxy in the host's network, a step in a network of its own that
 * leads nowhere else.
 *
 *	record_start (a process: record_proxy.c) -> record_furnish (in the step's process:
 *	record_network.c) -> the step runs -> record_finish -> struct record_log -> record_propose
 *
 * The proxy takes plain http, and https by an authority made for this run. To the step every name
 *is the loopback, so that what knows no proxy comes to it as well (record_name.h). */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <varve/digest.h>
#include <varve/error.h>
#include "base/json.h"
#include "base/strv.h"

struct varve_store;

/* One request and what came of it. Strings are owned. */
struct record_exchange {
	char *method; /* "GET"; "CONNECT" for a connection that came to no request, "LOOKUP" for a
			name that was looked up */
	char *url; /* absolute, without credentials and fragment; HOST:PORT of a CONNECT,
		     a name */
	unsigned status; /* of the answer; 0: none came */
	char *location; /* where a redirection leads, absolute; NULL: it is none */
	char *type; /* media type in lower case, without parameters; "" */
	uint64_t size; /* bytes of the body */
	struct varve_digest sha256; /* of the body, which is in the store then; else none */
	char *python; /* version of the Python that asked ("3.11"); NULL: it does not say */
	char *why; /* why no source can stand for it; NULL: one may */
};
struct record_log {
	struct record_exchange *items;
	size_t count, alloc;
};
void record_exchange_release(struct record_exchange *exchange);
void record_log_release(struct record_log *log);
/* Takes the exchange over. */
void record_log_add(struct record_log *log, struct record_exchange *take);
json_t *record_exchange_to_json(const struct record_exchange *exchange);
/* -VARVE_E_FORMAT without a text. */
int record_exchange_from_json(const json_t *object, struct record_exchange *ret);

/* Ports on the step's loopback, in the order in which their sockets are handed over. */
enum record_port { RECORD_PROXY, RECORD_HTTP, RECORD_HTTPS, RECORD_NAMES, RECORD_PORTS };

/* A recording under way. */
struct record {
	pid_t pid; /* of the proxy; 0: none */
	int control; /* our end: sockets go in here, and its end is the recording's; -1: none */
	int result; /* a file in memory that holds the exchanges at the end; -1: none */
	char *certificate; /* of the run's authority, PEM; owned */
};
#define RECORD_INIT                                                                                \
	{                                                                                          \
		0, -1, -1, NULL                                                                    \
	}
/* Starts the proxy, which keeps bodies in the store. */
int record_start(struct varve_store *store, struct record *ret, struct varve_error *err);
/* The step is over: waits for the proxy and reads what it has seen. */
int record_finish(struct record *record, struct record_log *ret, struct varve_error *err);
void record_release(struct record *record); /* kills the proxy where it still runs */

/* In the process that is to run the step: enters a network of nothing but loopback, whose listening
 * sockets go to the proxy. */
int record_enter_network(const struct record *record, struct varve_error *err);
/* Sets the variables by which the usual tools find proxy and authority; bundle: path of its
 * certificate inside. */
void record_environment(const char *bundle, struct strv *environment);

#endif
