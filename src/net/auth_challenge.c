/* SPDX-License-Identifier: Apache-2.0 */
#include "net/auth_challenge.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/buf.h"
#include "base/cleanup.h"

enum { CHALLENGES = 16 /* more are not looked at */ };

static bool is_token(char c)
{
	return isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_len(const char *text)
{
	size_t len = 0;

	while (is_token(text[len]))
		len++;
	return len;
}

static const char *skip(const char *at, const char *what)
{
	return at + strspn(at, what);
}

static enum auth_scheme scheme_of(const char *name, size_t len)
{
	if (len == 5 && strncasecmp(name, "Basic", 5) == 0)
		return AUTH_BASIC;
	if (len == 6 && strncasecmp(name, "Bearer", 6) == 0)
		return AUTH_BEARER;
	return AUTH_UNKNOWN;
}

/* Reads a quoted string from its first quote; NULL when it has no end. */
static const char *read_quoted(const char *at, struct buf *value)
{
	for (at++; *at != '"'; at++) {
		if (*at == '\\' && at[1] != '\0')
			at++;
		if (*at == '\0')
			return NULL;
		buf_addc(value, *at);
	}
	return at + 1;
}

static void keep(struct auth_challenge *challenge, const char *name, size_t len, struct buf *value)
{
	const struct {
		const char *name;
		char **to;
	} known[] = {
		{"realm", &challenge->realm},
		{"service", &challenge->service},
		{"scope", &challenge->scope},
		{"error", &challenge->error},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		/* Of a parameter given twice the first counts. */
		if (strlen(known[i].name) == len && strncasecmp(name, known[i].name, len) == 0 &&
		    !*known[i].to)
			*known[i].to = buf_steal(value);
	}
}

/* Reads NAME=VALUE at at. NULL: there is none, the next word is a scheme or nonsense. */
static const char *read_parameter(const char *at, struct auth_challenge *challenge)
{
	CLEANUP(buf_release) struct buf value = BUF_INIT;
	size_t len = token_len(at);
	const char *equals = skip(at + len, " \t"), *end;

	if (len == 0 || *equals != '=')
		return NULL;
	end = skip(equals + 1, " \t");
	if (*end == '"') {
		end = read_quoted(end, &value);
		if (!end)
			return NULL;
	} else {
		/* Not only tokens: servers leave quotes out around URLs. */
		buf_add(&value, end, strcspn(end, ", \t"));
		end += value.len;
	}
	keep(challenge, at, len, &value);
	return end;
}

static const char *read_parameters(const char *at, struct auth_challenge *challenge)
{
	for (;;) {
		const char *next = read_parameter(skip(at, ", \t"), challenge);

		if (!next)
			return at;
		at = next;
	}
}

void auth_challenges_add(struct auth_challenges *challenges, const char *value)
{
	const char *at = skip(value, ", \t");

	while (*at != '\0' && challenges->count < CHALLENGES) {
		size_t len = token_len(at);
		struct auth_challenge *challenge;

		if (len == 0) {
			/* The rest of a token68, or nonsense. */
			at = skip(at + strcspn(at, ","), ", \t");
			continue;
		}
		challenges->items = array_grow(challenges->items, challenges->count,
					       &challenges->alloc, sizeof(*challenges->items));
		challenge = &challenges->items[challenges->count++];
		challenge->scheme = scheme_of(at, len);
		at = skip(read_parameters(at + len, challenge), ", \t");
	}
}

const struct auth_challenge *auth_challenges_find(const struct auth_challenges *challenges,
						  enum auth_scheme scheme)
{
	for (size_t i = 0; i < challenges->count; i++) {
		if (challenges->items[i].scheme == scheme)
			return &challenges->items[i];
	}
	return NULL;
}

void auth_challenges_release(struct auth_challenges *challenges)
{
	for (size_t i = 0; i < challenges->count; i++) {
		struct auth_challenge *c = &challenges->items[i];

		free(c->realm);
		free(c->service);
		free(c->scope);
		free(c->error);
	}
	free(challenges->items);
	*challenges = (struct auth_challenges){0};
}
