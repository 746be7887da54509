/* SPDX-License-Identifier: Apache-2.0 */
#include "net/auth.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "base/base64.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "net/auth_challenge.h"
#include "net/http_url.h"

enum {
	TOKEN_SECONDS = 60, /* a token that does not say how long it lives */
	TOKEN_LIMIT = 1 << 20,
	EARLY_SECONDS = 30, /* refreshed so long before its end, or a tenth of its life */
	TOKEN_TRIES = 4,
	WAIT_MS = 250, /* before the second try; doubles */
	WAIT_LIMIT_MS = 60000, /* that a server may ask for */
};

struct token {
	char *scopes; /* joined */
	char *text;
	int64_t until; /* ms, monotonic */
};

/* A token server's answer. */
struct token_reply {
	char *text;
	int64_t seconds; /* that it lives */
};

struct auth {
	struct auth_settings settings;
	pthread_mutex_t mutex;
	enum auth_scheme scheme; /* AUTH_UNKNOWN: the server did not ask yet */
	char *realm, *service;
	struct token *tokens;
	size_t count, alloc;
};

struct auth *auth_new(const struct auth_settings *settings)
{
	struct auth *auth = xcalloc(1, sizeof(*auth));

	auth->settings = *settings;
	(void)pthread_mutex_init(&auth->mutex, NULL);
	return auth;
}

static void token_clear(struct token *token)
{
	if (token->text)
		explicit_bzero(token->text, strlen(token->text));
	free(token->text);
	token->text = NULL;
}

void auth_free(struct auth *auth)
{
	if (!auth)
		return;
	for (size_t i = 0; i < auth->count; i++) {
		token_clear(&auth->tokens[i]);
		free(auth->tokens[i].scopes);
	}
	free(auth->tokens);
	free(auth->realm);
	free(auth->service);
	(void)pthread_mutex_destroy(&auth->mutex);
	free(auth);
}

/* --- asking the token server ---------------------------------------------------------------------
 */

/* A small body in memory. */
struct form {
	struct buf text;
	size_t at;
};

static ssize_t give_form(void *cookie, void *data, size_t len)
{
	struct form *form = cookie;
	size_t left = form->text.len - form->at;

	if (len > left)
		len = left;
	memcpy(data, form->text.data + form->at, len);
	form->at += len;
	return (ssize_t)len;
}

static char *basic_header(const struct credentials *c)
{
	CLEANUP(buf_release) struct buf plain = BUF_INIT;
	struct buf header = BUF_INIT;

	buf_addf(&plain, "%s:%s", c->user, c->secret ? c->secret : "");
	buf_addstr(&header, "Authorization: Basic ");
	base64_encode(plain.data, plain.len, &header);
	explicit_bzero(plain.data, plain.len);
	return buf_steal(&header);
}

static void add_parameter(struct buf *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	if (out->len > 0 && !strchr("?&", out->data[out->len - 1]))
		buf_addc(out, '&');
	buf_addf(out, "%s=", name);
	http_url_escape(value, out);
}

/* GET REALM?service=&scope=&scope=, with user and secret where there are some. */
static void prepare_get(struct auth *auth, const struct strv *scopes, bool trusted, struct buf *url,
			struct strv *headers)
{
	const struct credentials *c = auth->settings.credentials;

	buf_addstr(url, auth->realm);
	buf_addc(url, strchr(auth->realm, '?') ? '&' : '?');
	add_parameter(url, "service", auth->service);
	for (size_t i = 0; i < scopes->count; i++)
		add_parameter(url, "scope", scopes->items[i]);
	if (!trusted || !c->user)
		return;
	add_parameter(url, "account", c->user);
	strv_take(headers, basic_header(c));
}

static void prepare_refresh(struct auth *auth, const struct strv *scopes, struct form *form)
{
	CLEANUP(free_ptr) char *all = strv_join(scopes, " ");

	add_parameter(&form->text, "grant_type", "refresh_token");
	add_parameter(&form->text, "service", auth->service);
	add_parameter(&form->text, "client_id", "varve");
	add_parameter(&form->text, "scope", all);
	add_parameter(&form->text, "refresh_token", auth->settings.credentials->identity_token);
}

static int read_token(const struct buf *text, struct token_reply *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *answer = NULL;
	struct varve_error unused;
	const char *token;
	uint64_t seconds = TOKEN_SECONDS;

	if (json_parse(buf_text(text), text->len, "token", &answer, &unused) < 0)
		return varve_error_set(err, -VARVE_E_NETWORK,
				       "the token server's answer is no JSON document");
	token = json_optional_string(answer, "token", NULL);
	if (!token)
		token = json_optional_string(answer, "access_token", NULL);
	if (!token || !*token || strpbrk(token, "\r\n"))
		return varve_error_set(err, -VARVE_E_NETWORK,
				       "the token server's answer has no token");
	if (json_is_integer(json_object_get(answer, "expires_in")))
		seconds = (uint64_t)json_integer_value(json_object_get(answer, "expires_in"));
	ret->text = xstrdup(token);
	ret->seconds = seconds > 0 && seconds < 86400 ? (int64_t)seconds : TOKEN_SECONDS;
	return 0;
}

static int judge_status(const struct auth *auth, const struct http_answer *answer,
			struct varve_error *err)
{
	CLEANUP(free_ptr) char *shown = http_url_display(auth->realm);

	if (answer->status == 200)
		return 0;
	if (answer->status == 401 || answer->status == 403 || answer->status == 400)
		return -EACCES;
	return varve_error_set(err, -VARVE_E_NETWORK, "token server %.300s: HTTP status %ld", shown,
			       answer->status);
}

/* Some servers know only one of the two ways. */
static int request_token(struct auth *auth, struct http_client *client, const struct strv *scopes,
			 struct http_answer *answer, struct varve_error *err)
{
	const struct credentials *c = auth->settings.credentials;
	bool trusted = auth_realm_is_trusted(auth->settings.origin, auth->realm,
					     auth->settings.trusted_realms, err);
	CLEANUP(strv_release) struct strv headers = STRV_INIT;
	CLEANUP(buf_release) struct buf url = BUF_INIT;
	struct form form = {BUF_INIT, 0};
	const enum http_reach from = atomic_load(auth->settings.reach);
	struct http_request request = {.method = "GET",
				       .headers = &headers,
				       .limit = TOKEN_LIMIT,
				       .trust = auth->settings.trust,
				       .stall_seconds = auth->settings.stall_seconds};
	int r;

	if (!auth_realm_is_named(auth->realm, auth->settings.trusted_realms))
		request.sent_by = &from;
	if (!trusted && !credentials_are_none(c))
		return -VARVE_E_NETWORK;
	if (c->identity_token) {
		prepare_refresh(auth, scopes, &form);
		strv_add(&headers, "Content-Type: application/x-www-form-urlencoded");
		request.method = "POST";
		request.give = give_form;
		request.cookie = &form;
		request.size = form.text.len;
		buf_addstr(&url, auth->realm);
	} else {
		prepare_get(auth, scopes, trusted, &url, &headers);
	}
	request.url = buf_text(&url);
	r = http_exchange(client, &request, answer, err);
	if (form.text.data)
		explicit_bzero(form.text.data, form.text.len);
	buf_release(&form.text);
	return r;
}

/* 1: another try may help, and has been waited for. */
static int try_token(struct auth *auth, struct http_client *client, const struct strv *scopes,
		     unsigned tries, struct token_reply *ret, struct varve_error *err)
{
	CLEANUP(http_answer_release) struct http_answer answer = {0};
	CLEANUP(free_ptr) char *shown = http_url_display(auth->realm);
	int r = request_token(auth, client, scopes, &answer, err);
	bool again = answer.status == 429 || answer.status == 408 || answer.status / 100 == 5 ||
		     (answer.broken && !answer.refused);
	int64_t wait = answer.retry_after > 0 ? answer.retry_after * 1000 : WAIT_MS;

	if (r == -VARVE_E_LIMIT) /* of what a server says, not of what we were given */
		r = varve_error_set(err, -VARVE_E_NETWORK, "its answer is too large");
	if (r < 0 && (answer.broken || answer.refused || answer.status == 200))
		varve_error_prefix(err, "token server %.300s", shown);
	if (r == 0)
		r = judge_status(auth, &answer, err);
	if (r == 0)
		r = read_token(&answer.text, ret, err);
	if (r == 0 || r == -EACCES || !again || tries >= TOKEN_TRIES || wait > WAIT_LIMIT_MS)
		return r;
	(void)usleep((useconds_t)(wait << (tries - 1)) * 1000);
	return 1;
}

static int fetch_token(struct auth *auth, struct http_client *client, const struct strv *scopes,
		       struct token *into, struct varve_error *err)
{
	struct token_reply reply = {0};
	int64_t early;
	int r = 1;

	for (unsigned tries = 1; r == 1; tries++)
		r = try_token(auth, client, scopes, tries, &reply, err);
	if (r < 0)
		return r;
	early = reply.seconds / 10 > EARLY_SECONDS ? EARLY_SECONDS : reply.seconds / 10;
	token_clear(into);
	into->text = reply.text;
	into->until = clock_ms() + (reply.seconds - early) * 1000;
	return 0;
}

/* --- scopes --------------------------------------------------------------------------------------
 */

static struct token *token_for(struct auth *auth, const struct strv *scopes)
{
	CLEANUP(free_ptr) char *joined = strv_join(scopes, " ");

	for (size_t i = 0; i < auth->count; i++) {
		if (str_equal(auth->tokens[i].scopes, joined))
			return &auth->tokens[i];
	}
	auth->tokens = array_grow(auth->tokens, auth->count, &auth->alloc, sizeof(*auth->tokens));
	auth->tokens[auth->count].scopes = steal_ptr(&joined);
	return &auth->tokens[auth->count++];
}

/* What the operation needs, and what the challenge names beyond (some name less: GHCR). */
static void unite(const struct strv *scopes, const char *more, struct strv *ret)
{
	strv_extend(ret, scopes);
	while (more && *more) {
		size_t len = strcspn(more, " ");
		CLEANUP(free_ptr) char *one = xstrndup(more, len);

		if (len > 0 && !strv_contains(ret, one))
			strv_add(ret, one);
		more += len + strspn(more + len, " ");
	}
}

static void add_bearer(struct strv *headers, const char *token)
{
	strv_addf(headers, "Authorization: Bearer %s", token);
}

int auth_authorize(struct auth *auth, struct http_client *client, const struct strv *scopes,
		   struct strv *headers, struct varve_error *err)
{
	const struct credentials *c = auth->settings.credentials;
	struct token *token;
	int r = 0;

	(void)pthread_mutex_lock(&auth->mutex);
	if (c->registry_token) {
		add_bearer(headers, c->registry_token);
	} else if (auth->scheme == AUTH_BASIC && c->user) {
		strv_take(headers, basic_header(c));
	} else if (auth->scheme == AUTH_BEARER) {
		token = token_for(auth, scopes);
		if (!token->text || clock_ms() >= token->until)
			r = fetch_token(auth, client, scopes, token, err);
		if (r == 0)
			add_bearer(headers, token->text);
		/* The server's own challenge may say more: let it refuse. */
		if (r == -EACCES)
			r = 0;
	}
	(void)pthread_mutex_unlock(&auth->mutex);
	return r;
}

static const char *authorization(const struct strv *headers)
{
	const char *value = http_header(headers, "Authorization");

	return value ? value : "";
}

static int refused_bearer(struct auth *auth, struct http_client *client, const struct strv *scopes,
			  const char *used, const struct auth_challenge *challenge,
			  struct varve_error *err)
{
	CLEANUP(strv_release) struct strv all = STRV_INIT;
	struct token *token = token_for(auth, scopes);

	/* Another thread has a new one already. */
	if (token->text && str_starts(used, "Bearer ") && !str_equal(used + 7, token->text))
		return 0;
	unite(scopes, challenge->scope, &all);
	auth->scheme = AUTH_BEARER;
	free(auth->realm);
	free(auth->service);
	auth->realm = xstrdup(challenge->realm);
	auth->service = challenge->service ? xstrdup(challenge->service) : NULL;
	return fetch_token(auth, client, &all, token, err);
}

static int refused(struct auth *auth, struct http_client *client, const struct strv *scopes,
		   const char *used, const struct auth_challenges *challenges,
		   struct varve_error *err)
{
	const struct auth_challenge *bearer = auth_challenges_find(challenges, AUTH_BEARER);

	if (auth->settings.credentials->registry_token)
		return -EACCES;
	if (bearer && bearer->realm)
		return refused_bearer(auth, client, scopes, used, bearer, err);
	if (!auth_challenges_find(challenges, AUTH_BASIC) || !auth->settings.credentials->user ||
	    str_starts(used, "Basic "))
		return -EACCES;
	auth->scheme = AUTH_BASIC;
	return 0;
}

int auth_refused(struct auth *auth, struct http_client *client, const struct strv *scopes,
		 const struct strv *request_headers, const struct strv *answer_headers,
		 struct varve_error *err)
{
	CLEANUP(auth_challenges_release) struct auth_challenges challenges = {0};
	int r;

	for (size_t i = 0; i < answer_headers->count; i++) {
		if (strncasecmp(answer_headers->items[i], "WWW-Authenticate:", 17) == 0)
			auth_challenges_add(&challenges, answer_headers->items[i] + 17);
	}
	(void)pthread_mutex_lock(&auth->mutex);
	r = refused(auth, client, scopes, authorization(request_headers), &challenges, err);
	(void)pthread_mutex_unlock(&auth->mutex);
	return r;
}
