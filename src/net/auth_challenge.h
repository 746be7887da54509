/* SPDX-License-Identifier: Apache-2.0
 * What a server asks for with 401: the WWW-Authenticate header (RFC 9110, section 11.6.1). Pure.
 *
 *	header     = challenge *( "," challenge )
 *	challenge  = scheme [ 1*SP ( token68 / parameter *( "," parameter ) ) ]
 *	parameter  = name "=" ( token / quoted-string )
 *
 * One header may hold several challenges and an answer several headers; a comma ends a parameter or
 * a challenge, but not inside quotes. */
#ifndef NET_AUTH_CHALLENGE_H
#define NET_AUTH_CHALLENGE_H

#include <stddef.h>

struct strv;

enum auth_scheme { AUTH_UNKNOWN, AUTH_BASIC, AUTH_BEARER };

struct auth_challenge {
	enum auth_scheme scheme;
	char *realm, *service, *scope, *error; /* NULL where not given; owned */
};

struct auth_challenges {
	struct auth_challenge *items; /* in the order of the headers; owned */
	size_t count, alloc;
};

/* Adds the challenges of one header's value to those of earlier ones. What follows a malformed part
 * is left out: servers say much that no client understands. */
void auth_challenges_add(struct auth_challenges *challenges, const char *value);
/* The first of this scheme, or NULL. */
const struct auth_challenge *auth_challenges_find(const struct auth_challenges *challenges,
						  enum auth_scheme scheme);
void auth_challenges_release(struct auth_challenges *challenges);

#endif
