/* SPDX-License-Identifier: Apache-2.0
 * A connection of the step, plain or under TLS. libssl is loaded when a recording starts: no other
 * command pays for it. */
#ifndef RECORD_RECORD_TLS_H
#define RECORD_RECORD_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <varve/error.h>

#include "record/record_authority.h"

/* The functions that are called; all set or none. */
struct record_tls_door {
	const SSL_METHOD *(*method)(void);
	SSL_CTX *(*context_new)(const SSL_METHOD *method);
	void (*context_free)(SSL_CTX *context);
	long (*context_callback)(SSL_CTX *context, int command, void (*callback)(void));
	long (*context_control)(SSL_CTX *context, int command, long number, void *pointer);
	SSL *(*connection_new)(SSL_CTX *context);
	void (*connection_free)(SSL *connection);
	int (*set_fd)(SSL *connection, int fd);
	int (*use_certificate)(SSL *connection, X509 *certificate);
	int (*use_key)(SSL *connection, EVP_PKEY *key);
	const char *(*server_name)(const SSL *connection, int type);
	int (*accept)(SSL *connection);
	int (*read)(SSL *connection, void *data, int len);
	int (*write)(SSL *connection, const void *data, int len);
	int (*shutdown)(SSL *connection);
};
int record_tls_door_open(struct record_tls_door *ret, struct varve_error *err);

enum { RECORD_STREAM_BUFFER = 64 << 10 };

struct record_stream {
	const struct record_tls_door *door;
	const struct record_authority *authority;
	int fd; /* borrowed */
	SSL_CTX *context; /* NULL: plain */
	SSL *tls;
	char *host; /* of the certificate: what the client asked for, else what it connected to;
		     * owned */
	char data[RECORD_STREAM_BUFFER]; /* read and not yet taken: start..end */
	size_t start, end;
};
void record_stream_release(struct record_stream *stream);
/* Answers as host (may be NULL: the client has to name one) under TLS from here on. False where the
 * client does not go along: it may trust another authority only. */
bool record_stream_secure(struct record_stream *stream, const char *host);
/* Reads more into data; false at the end, on a failure, or with data full. */
bool record_stream_fill(struct record_stream *stream);
bool record_stream_write(struct record_stream *stream, const void *data, size_t len);

#endif
