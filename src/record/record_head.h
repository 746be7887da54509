/* SPDX-License-Identifier: Apache-2.0
 * Heads of requests (RFC 9112), as strictly as a proxy has to read them. Pure.
 *
 *	head  = method " " target " HTTP/1." digit CRLF *( name ":" value CRLF ) CRLF
 *
 * A line may end in LF alone; folded lines, control characters and two different lengths are
 * refused. */
#ifndef RECORD_RECORD_HEAD_H
#define RECORD_RECORD_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/error.h>

enum { RECORD_HEAD_LIMIT = 64 << 10, RECORD_FIELD_LIMIT = 256, RECORD_URL_LIMIT = 8 << 10 };

struct record_field {
	const char *name, *value; /* in the head's text */
};
struct record_head {
	char *text; /* owned; the rest points into it */
	const char *method, *target;
	unsigned minor; /* of HTTP/1.minor: 0 or 1 */
	struct record_field *fields;
	size_t count, alloc;
	uint64_t length; /* of the body */
	bool has_body; /* length > 0, or chunked */
	bool chunked;
	bool close; /* the connection ends after the answer */
	bool expects; /* 100-continue */
};
void record_head_release(struct record_head *head);
/* The length of the head at the beginning of text with its empty line; 0: it is not whole yet. */
size_t record_head_length(const char *text, size_t len);
/* text: a whole head. -VARVE_E_FORMAT says what is wrong with it. */
int record_head_parse(const char *text, size_t len, struct record_head *ret,
		      struct varve_error *err);
/* The first value of a field, or NULL. Borrowed. */
const char *record_head_field(const struct record_head *head, const char *name);
/* The version of the Python that asks ("3.11"), as pip, uv and urllib say it. NULL: nobody does.
 * Caller frees. */
char *record_head_python(const struct record_head *head);
/* True for a field that is of this connection only, or that the proxy sets itself. */
bool record_field_is_hop(const char *name);
/* The absolute URL that is asked for, without credentials and fragment. scheme: of a target that is
 * a path; host: HOST[:PORT] of the connection, NULL: the field Host says it. NULL: it makes no
 * sense. Caller frees. */
char *record_head_url(const struct record_head *head, const char *scheme, const char *host);
/* True for a host with an optional port, as CONNECT has it. */
bool record_is_host(const char *text);
/* True where the request shows who asks: its answer is not for everybody. */
bool record_head_has_credentials(const struct record_head *head);

#endif
