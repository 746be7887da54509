/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/auth.h"
#include "net/credentials.h"
#include "net/http_url.h"
#include "registry/registry_state.h"
#include "registry/registry_trust.h"

enum { STALL_SECONDS = 60, MIRROR_SECONDS = 10, NAP_MS = 20, PING_SECONDS = 10 };

const struct registry_settings *registry_settings(const struct registry *registry)
{
	return registry->settings;
}

const char *registry_name(const struct registry *registry)
{
	return registry->name;
}

const char *registry_repository(const struct registry *registry)
{
	return registry->repository;
}

const char *registry_host(const struct registry *registry)
{
	return registry->host;
}

const char *registry_origin(const struct registry *registry)
{
	return registry->origin;
}

bool registry_is_mirror(const struct registry *registry)
{
	return registry->is_mirror;
}

unsigned registry_stall_seconds(const struct registry *registry)
{
	return registry->stall_seconds;
}

bool registry_is_own(const struct registry *registry, const char *url)
{
	CLEANUP(free_ptr) char *origin = http_url_origin(url);

	return str_equal(origin, registry->origin);
}

bool registry_stopped(const struct registry *registry)
{
	return registry->abandoned || (registry->settings->stop && *registry->settings->stop);
}

void registry_abandon(struct registry *registry)
{
	registry->abandoned = 1;
}

void registry_wait(const struct registry *registry, unsigned ms)
{
	int64_t until = clock_ms() + ms;

	while (clock_ms() < until && !registry_stopped(registry))
		(void)usleep((ms < NAP_MS ? ms : NAP_MS) * 1000);
}

/* --- opening -------------------------------------------------------------------------------------
 */

static int find_credentials(struct registry *registry, const struct reference *reference,
			    struct varve_error *err)
{
	const struct registry_settings *s = registry->settings;

	if (s->user) {
		registry->credentials.user = xstrdup(s->user);
		registry->credentials.secret = xstrdup(s->secret ? s->secret : "");
		return 0;
	}
	return credentials_find(s->authfile, reference->host, reference->repository,
				&registry->credentials, &registry->looked_at, err);
}

static void set_origin(struct registry *registry, const char *scheme)
{
	free(registry->origin);
	registry->origin = xasprintf("%s://%s", scheme, registry->host);
}

/* An answer to GET /v2/ without anything of ours in it. 0: a registry may be there. */
static int ping(struct registry *registry, struct http_client *client, const char *scheme,
		struct http_answer *answer, struct varve_error *err)
{
	CLEANUP(free_ptr) char *url = xasprintf("%s://%s/v2/", scheme, registry->host);
	const struct http_request request = {.method = "GET",
					     .url = url,
					     .trust = &registry->trust,
					     .stall_seconds = PING_SECONDS,
					     .stop = registry->settings->stop};

	return http_exchange(client, &request, answer, err);
}

/* A registry on this host usually speaks http, one that is declared insecure either. TLS servers
 * answer http with 400 or break it off. */
static int find_scheme(struct registry *registry, struct varve_error *err)
{
	CLEANUP(free_ptr) char *host = http_url_host(registry->host);
	CLEANUP(http_client_freep) struct http_client *client = NULL;
	CLEANUP(http_answer_release) struct http_answer answer = {0};
	bool loopback = http_host_is_loopback(host);
	const char *first = loopback ? "http" : "https", *second = loopback ? "https" : "http";
	int refused = 0, r;

	set_origin(registry, registry->plain_http ? "http" : "https");
	if (registry->plain_http || (!loopback && !registry->insecure) ||
	    registry->trust.certificate)
		return 0;
	r = http_client_new(&client, err);
	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		http_answer_release(&answer);
		r = ping(registry, client, i == 0 ? first : second, &answer, err);
		if (r == -VARVE_E_CANCELLED)
			return r;
		if (r == 0 && !(i == 0 && loopback && answer.status == 400)) {
			registry->reached = true;
			set_origin(registry, i == 0 ? first : second);
			return 0;
		}
		refused += r < 0 && answer.refused;
	}
	if (answer.unproven)
		return registry_trust_unproven(registry->cert_dir, registry->host, &registry->trust,
					       err);
	if (refused == 2 || answer.untrusted) {
		varve_error_prefix(err, "%s", registry->name);
		return r;
	}
	/* It is there, but falters; the requests that follow have more patience. */
	registry->reached = true;
	set_origin(registry, first);
	return 0;
}

static void take_settings(struct registry *registry, const struct registry_settings *settings,
			  const struct registry_way *way)
{
	unsigned stall = settings->stall_seconds ? settings->stall_seconds : STALL_SECONDS;

	registry->settings = settings;
	registry->insecure = way->insecure;
	registry->is_mirror = way->is_mirror;
	registry->stall_seconds = stall;
	if (way->is_mirror) {
		registry->stall_seconds = stall < MIRROR_SECONDS ? stall : MIRROR_SECONDS;
		return;
	}
	registry->insecure |= settings->insecure;
	registry->plain_http = settings->plain_http;
	registry->cert_dir = settings->cert_dir;
}

int registry_open(const struct registry_settings *settings, const struct reference *reference,
		  bool push, struct registry **ret, struct varve_error *err)
{
	const struct registry_rule *rule = registry_rules_find(settings->rules, reference);
	const struct registry_way way = {.reference = *reference,
					 .insecure = rule && rule->insecure};
	int r = registry_rules_check(rule, reference, err);

	return r < 0 ? r : registry_open_way(settings, &way, push, ret, err);
}

int registry_open_way(const struct registry_settings *settings, const struct registry_way *way,
		      bool push, struct registry **ret, struct varve_error *err)
{
	CLEANUP(registry_closep) struct registry *registry = xcalloc(1, sizeof(*registry));
	const struct reference *reference = &way->reference;
	int r;

	(void)pthread_mutex_init(&registry->mutex, NULL);
	take_settings(registry, settings, way);
	registry->push = push;
	registry->host = xstrdup(reference_api_host(reference));
	registry->repository = xstrdup(reference->repository);
	registry->name = xasprintf("%s%s%s", reference->host, *reference->repository ? "/" : "",
				   reference->repository);
	r = find_credentials(registry, reference, err);
	if (r == 0)
		r = registry_trust_find(registry->cert_dir, registry->host, &registry->trust, err);
	registry->trust.insecure = registry->insecure;
	if (r == 0)
		r = find_scheme(registry, err);
	if (r < 0)
		return r;
	registry->auth = auth_new(
		&(struct auth_settings){.origin = registry->origin,
					.credentials = &registry->credentials,
					.trusted_realms = settings->trusted_realms,
					.trust = &registry->trust,
					.reach = &registry->reach,
					.stall_seconds = registry_stall_seconds(registry)});
	*ret = steal_ptr(&registry);
	return 0;
}

void registry_close(struct registry *registry)
{
	if (!registry)
		return;
	for (size_t i = 0; i < registry->warnings.count && registry->settings->notice; i++)
		registry->settings->notice(registry->settings->cookie, registry->warnings.items[i]);
	strv_release(&registry->warnings);
	auth_free(registry->auth);
	credentials_release(&registry->credentials);
	http_trust_release(&registry->trust);
	strv_release(&registry->looked_at);
	free(registry->host);
	free(registry->repository);
	free(registry->name);
	free(registry->origin);
	(void)pthread_mutex_destroy(&registry->mutex);
	free(registry);
}

void registry_closep(struct registry **registry)
{
	registry_close(*registry);
	*registry = NULL;
}
