/* SPDX-License-Identifier: Apache-2.0
 * One request until it has an answer that means something to the caller. */
#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/http_url.h"
#include "registry/registry_state.h"
#include "registry/registry_trust.h"

enum {
	REDIRECTS = 10,
	WARNINGS = 16, /* of a registry that are told */
	RENEWALS = 2, /* of the authorization, for one request */
	WAIT_MS = 250, /* before the second try; doubles */
	WAIT_LIMIT_MS = 8000,
	RETRY_AFTER_LIMIT = 60, /* seconds that a registry may make us wait */
};

/* A call under way. */
struct attempt {
	struct registry *registry;
	struct http_client *client;
	const struct registry_call *call;
	struct strv scopes;
	struct strv headers; /* of the last request */
	char *url; /* present one, after redirections */
	size_t text_at; /* of a body in memory */
	unsigned redirects, renewals, failures;
	int64_t deadline;
};

static void attempt_release(struct attempt *a)
{
	strv_release(&a->scopes);
	for (size_t i = 0; i < a->headers.count; i++)
		explicit_bzero(a->headers.items[i], strlen(a->headers.items[i]));
	strv_release(&a->headers);
	free(a->url);
}

static ssize_t give_text(void *cookie, void *data, size_t len)
{
	struct attempt *a = cookie;
	size_t left = (size_t)a->call->size - a->text_at;

	if (len > left)
		len = left;
	memcpy(data, (const char *)a->call->text + a->text_at, len);
	a->text_at += len;
	return (ssize_t)len;
}

static void begin(struct attempt *a)
{
	const char *path = a->call->path;
	unsigned stall = registry_stall_seconds(a->registry);

	if (strstr(path, "://"))
		a->url = xstrdup(path);
	else
		a->url = xasprintf("%s/v2/%s/%s", a->registry->origin, a->registry->repository,
				   path);
	strv_addf(&a->scopes, "repository:%s:pull%s", a->registry->repository,
		  a->registry->push ? ",push" : "");
	if (a->call->mount_from)
		strv_addf(&a->scopes, "repository:%s:pull", a->call->mount_from);
	a->deadline = a->call->deadline ? a->call->deadline : clock_ms() + (int64_t)stall * 1000;
}

/* What is for the registry alone stays with it. */
static int make_headers(struct attempt *a, struct varve_error *err)
{
	strv_release(&a->headers);
	if (a->call->headers)
		strv_extend(&a->headers, a->call->headers);
	if (!registry_is_own(a->registry, a->url))
		return 0;
	return auth_authorize(a->registry->auth, a->client, &a->scopes, &a->headers, err);
}

/* Two silent connections in a row are within the limit; what began late in it ends with it. */
static unsigned silence_limit(const struct attempt *a)
{
	unsigned half = (registry_stall_seconds(a->registry) + 1) / 2;
	int64_t left = (a->deadline - clock_ms() + 999) / 1000;

	if (!a->call->deadline && a->failures == 0)
		return half;
	return left < 1 ? 1 : left < half ? (unsigned)left : half;
}

static int request(struct attempt *a, struct http_answer *answer, struct varve_error *err)
{
	const struct registry_call *call = a->call;
	bool own = registry_is_own(a->registry, a->url);
	bool named = own || auth_realm_is_named(a->url, a->registry->settings->trusted_realms);
	const enum http_reach from = atomic_load(&a->registry->reach);
	struct http_request request = {.method = call->method,
				       .url = a->url,
				       .headers = &a->headers,
				       .trust = own ? &a->registry->trust : NULL,
				       .give = call->text ? give_text : call->give,
				       .take = call->take,
				       .begin = call->begin,
				       .cookie = call->text ? a : call->cookie,
				       .size = call->size,
				       .limit = call->limit,
				       .stall_seconds = silence_limit(a),
				       .fresh = call->fresh,
				       .sent_by = named ? NULL : &from,
				       .stop = &a->registry->abandoned};

	a->text_at = 0;
	return http_exchange(a->client, &request, answer, err);
}

static void pause_for(struct registry *registry, int64_t seconds)
{
	int64_t until = clock_ms() + seconds * 1000;

	(void)pthread_mutex_lock(&registry->mutex);
	if (until > registry->paused_until)
		registry->paused_until = until;
	(void)pthread_mutex_unlock(&registry->mutex);
}

/* True when the registry was reached before, by whichever thread. */
static bool note_reached(struct registry *registry, bool now)
{
	bool before;

	(void)pthread_mutex_lock(&registry->mutex);
	before = registry->reached;
	registry->reached |= now;
	(void)pthread_mutex_unlock(&registry->mutex);
	return before;
}

/* Warning: 299 - "text" is for people (distribution-spec, "Warnings"). */
static void keep_warnings(struct registry *registry, const struct http_answer *answer)
{
	const char *warning = http_header(&answer->headers, "Warning");
	CLEANUP(free_ptr) char *text = NULL;

	if (!warning || !str_starts(warning, "299 - \""))
		return;
	warning += strlen("299 - \"");
	text = xstrndup(warning, strcspn(warning, "\""));
	for (char *c = text; *c; c++)
		*c = iscntrl((unsigned char)*c) ? ' ' : *c;
	(void)pthread_mutex_lock(&registry->mutex);
	if (registry->warnings.count < WARNINGS && !strv_contains(&registry->warnings, text))
		strv_take(&registry->warnings, steal_ptr(&text));
	(void)pthread_mutex_unlock(&registry->mutex);
}

static void keep_pause(const struct attempt *a)
{
	int64_t until, now = clock_ms();

	(void)pthread_mutex_lock(&a->registry->mutex);
	until = a->registry->paused_until;
	(void)pthread_mutex_unlock(&a->registry->mutex);
	if (until > now)
		registry_wait(a->registry, (unsigned)(until - now));
}

/* True after a wait; false when there is no time for another try. */
static bool wait_for_retry(struct attempt *a, int64_t retry_after)
{
	int64_t wait = (int64_t)WAIT_MS << (a->failures < 5 ? a->failures : 5);
	int64_t jitter = clock_ms() % 7 * wait / 14;

	a->failures++;
	if (wait > WAIT_LIMIT_MS)
		wait = WAIT_LIMIT_MS;
	wait = wait / 2 + jitter;
	if (retry_after * 1000 > wait)
		wait = retry_after * 1000;
	else if (clock_ms() + wait >= a->deadline)
		return false;
	log_debug("%s %s: next try in %lld ms", a->call->method, a->registry->name,
		  (long long)wait);
	registry_wait(a->registry, (unsigned)wait);
	return !registry_stopped(a->registry);
}

static bool is_transient(long status)
{
	return status == 408 || status == 425 || status == 429 || status == 499 ||
	       (status / 100 == 5 && status != 501 && status != 505);
}

/* --- refusals ------------------------------------------------------------------------------------
 */

static int no_access(const struct attempt *a, const struct http_answer *answer,
		     struct varve_error *err)
{
	const struct registry *registry = a->registry;
	CLEANUP(free_ptr) char *files = strv_join(&registry->looked_at, ", ");

	if (!credentials_are_none(&registry->credentials)) {
		registry_complain(registry, answer, err, "the registry refuses the credentials");
		varve_error_hint(err, "varve login %s sets others", registry->host);
		return -VARVE_E_NETWORK;
	}
	varve_error_set(err, -VARVE_E_NETWORK,
			"%s: the registry asks for credentials, and there are none for %s\n"
			"looked at: %s\nvarve login %s",
			registry->name, registry->host, files, registry->host);
	return -VARVE_E_NETWORK;
}

/* 1: again with a new authorization; 0: the caller shall see the answer. */
static int renew(struct attempt *a, const struct http_answer *answer, struct varve_error *err)
{
	int r = -EACCES;

	if (a->renewals++ < RENEWALS)
		r = auth_refused(a->registry->auth, a->client, &a->scopes, &a->headers,
				 &answer->headers, err);
	/* A token server may refuse the other repository of a mount (GitLab). */
	if (r == -EACCES && a->call->mount_from)
		return 0;
	if (r == -EACCES)
		return no_access(a, answer, err);
	if (r < 0) {
		varve_error_prefix(err, "%s", a->registry->name);
		return r;
	}
	/* Bytes of a body are gone: the caller has to look where the upload stands. */
	return answer->given > 0 && a->call->once ? 0 : 1;
}

static int redirected(struct attempt *a, const struct http_answer *answer, struct varve_error *err)
{
	CLEANUP(free_ptr) char *to = http_url_origin(answer->redirect);

	if (++a->redirects > REDIRECTS)
		return varve_error_set(err, -VARVE_E_NETWORK, "%s: more than %d redirections",
				       a->registry->name, REDIRECTS);
	if (!http_url_may_redirect(a->url, answer->redirect))
		return varve_error_set(
			err, -VARVE_E_NETWORK,
			"%s: the registry redirects to %.200s, which is not followed",
			a->registry->name, to);
	free(a->url);
	a->url = xstrdup(answer->redirect);
	return 1;
}

static int server_failed(struct attempt *a, const struct http_answer *answer,
			 struct varve_error *err)
{
	bool limited = answer->status == 429 || registry_said(answer, "TOOMANYREQUESTS");

	if (answer->retry_after > RETRY_AFTER_LIMIT)
		return registry_complain(a->registry, answer, err, "%s", a->call->method);
	if (limited)
		pause_for(a->registry, answer->retry_after > 0 ? answer->retry_after : 1);
	if (a->call->once)
		return 0;
	/* Behind a redirection the address may have expired: from the start. */
	if (a->redirects > 0) {
		struct attempt again = {0};

		free(a->url);
		again.registry = a->registry;
		again.call = a->call;
		begin(&again);
		a->url = steal_ptr(&again.url);
		strv_release(&again.scopes);
		a->redirects = 0;
	}
	if (wait_for_retry(a, answer->retry_after))
		return 1;
	if (registry_stopped(a->registry))
		return varve_error_set(err, -VARVE_E_CANCELLED, "stopped");
	return registry_complain(a->registry, answer, err, "%s", a->call->method);
}

/* No answer: 1: another try; else the error, as it is in err. */
static int connection_failed(struct attempt *a, const struct http_answer *answer, int code,
			     struct varve_error *err)
{
	bool known = note_reached(a->registry, false);

	if (code == -VARVE_E_NETWORK && answer->broken && !a->call->once &&
	    (known || !answer->refused) && wait_for_retry(a, 0))
		return 1;
	if (registry_stopped(a->registry))
		return varve_error_set(err, -VARVE_E_CANCELLED, "stopped");
	if (answer->unproven && registry_is_own(a->registry, a->url))
		return registry_trust_unproven(a->registry->cert_dir, a->registry->host,
					       &a->registry->trust, err);
	if (code == -VARVE_E_NETWORK)
		varve_error_prefix(err, "%s", a->registry->name);
	return code;
}

/* 307 and 308 keep method and body. */
static bool may_follow(const struct attempt *a, const struct http_answer *answer)
{
	const char *method = a->call->method;

	if (str_equal(method, "GET") || str_equal(method, "HEAD"))
		return true;
	if (answer->status != 307 && answer->status != 308)
		return false;
	return !a->call->give || answer->given == 0 ||
	       (a->call->again && a->call->again(a->call->cookie) == 0);
}

/* 1: again; 0: the answer is the caller's; negative: failed. */
static int judge(struct attempt *a, const struct http_answer *answer, struct varve_error *err)
{
	long status = answer->status;

	(void)note_reached(a->registry, true);
	if (answer->reach != HTTP_REACH_UNKNOWN && registry_is_own(a->registry, a->url))
		atomic_store(&a->registry->reach, answer->reach);
	keep_warnings(a->registry, answer);
	if (status == 401 && registry_is_own(a->registry, a->url))
		return renew(a, answer, err);
	if (status / 100 == 3 && answer->redirect && may_follow(a, answer))
		return redirected(a, answer, err);
	if (is_transient(status))
		return server_failed(a, answer, err);
	return 0;
}

int registry_call(struct registry *registry, struct http_client *client,
		  const struct registry_call *call, struct http_answer *ret,
		  struct varve_error *err)
{
	CLEANUP(attempt_release)
	struct attempt a = {.registry = registry, .client = client, .call = call};
	int r = 1;

	begin(&a);
	*ret = (struct http_answer){0};
	while (r == 1) {
		http_answer_release(ret);
		keep_pause(&a);
		if (registry_stopped(registry))
			return varve_error_set(err, -VARVE_E_CANCELLED, "stopped");
		r = make_headers(&a, err);
		if (r < 0) {
			varve_error_prefix(err, "%s", registry->name);
			return r;
		}
		r = request(&a, ret, err);
		r = r < 0 ? connection_failed(&a, ret, r, err) : judge(&a, ret, err);
	}
	ret->url = steal_ptr(&a.url);
	return r;
}
