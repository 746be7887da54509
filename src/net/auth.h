/* SPDX-License-Identifier: Apache-2.0
 * Authorization at one server: Basic, and Bearer with a token server (distribution's token
 * specification). Learns what the server wants from its first 401; tokens are kept until shortly
 * before they expire. For several threads at once. */
#ifndef NET_AUTH_H
#define NET_AUTH_H

#include <stdbool.h>
#include <varve/error.h>
#include "base/strv.h"
#include "net/credentials.h"
#include "net/http_exchange.h"

struct auth;

struct auth_settings {
	const char *origin; /* scheme://host[:port] of the server */
	const struct credentials *credentials; /* borrowed, must outlive it */
	const struct strv *trusted_realms; /* hosts that may see the secret though they are of
					      another domain; may be NULL */
	const struct http_trust *trust; /* for a token server of the same host; may be NULL */
	unsigned stall_seconds;
	const _Atomic enum http_reach *reach; /* of the server, as it becomes known */
};

struct auth *auth_new(const struct auth_settings *settings);
void auth_free(struct auth *auth);

/* Adds the Authorization header for these scopes ("repository:NAME:pull,push", sorted) where the
 * server is known to want one; fetches a token where there is none (or it is about to expire). */
int auth_authorize(struct auth *auth, struct http_client *client, const struct strv *scopes,
		   struct strv *headers, struct varve_error *err);

/* The server said 401 to a request with these headers. 0: try again. -EACCES without a text: it
 * wants credentials that we do not have, or refuses those we have. Other codes with a text: the
 * token server failed or is not to be trusted. */
int auth_refused(struct auth *auth, struct http_client *client, const struct strv *scopes,
		 const struct strv *request_headers, const struct strv *answer_headers,
		 struct varve_error *err);

/* Pure: the user has named the realm's host. */
bool auth_realm_is_named(const char *realm, const struct strv *trusted);
/* Pure: may the secret of a server at origin go to this realm? False with the reason in err. */
bool auth_realm_is_trusted(const char *origin, const char *realm, const struct strv *trusted,
			   struct varve_error *err);

#endif
