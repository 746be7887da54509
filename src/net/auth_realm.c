/* SPDX-License-Identifier: Apache-2.0
 * Which token servers may see a secret: a server must not send it elsewhere by naming a realm. */
#include <string.h>
#include <strings.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "net/auth.h"
#include "net/http_url.h"

/* The part of a name that somebody registered, as far as its form tells: the last two labels, or
 * three where the two are short, as in "co.uk". */
static const char *domain(const char *host)
{
	const char *at = host + strlen(host);
	unsigned labels = 0;

	while (at > host) {
		if (at[-1] == '.') {
			size_t len = strlen(at);
			size_t top = strlen(strrchr(host, '.') + 1);

			labels++;
			if (labels == 3 || (labels == 2 && (top > 2 || len - top - 1 > 3)))
				return at;
		}
		at--;
	}
	return host;
}

static bool is_here(const char *host)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "::1"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcasecmp(host, names[i]) == 0)
			return true;
	}
	return false;
}

static bool same_domain(const char *a, const char *b)
{
	/* Addresses have no domain; a name without a dot is only itself. */
	if (strcasecmp(a, b) == 0 || (is_here(a) && is_here(b)))
		return true;
	if (http_host_is_local(a) || http_host_is_local(b) || !strchr(a, '.') ||
	    strspn(a, "0123456789.") == strlen(a) || strchr(a, ':'))
		return false;
	return strchr(domain(a), '.') && strcasecmp(domain(a), domain(b)) == 0;
}

bool auth_realm_is_trusted(const char *origin, const char *realm, const struct strv *trusted,
			   struct varve_error *err)
{
	CLEANUP(free_ptr) char *server = http_url_host(origin);
	CLEANUP(free_ptr) char *host = http_url_host(realm);
	bool secure = http_url_has_scheme(realm, "https");

	if (!secure && !http_url_has_scheme(realm, "http")) {
		varve_error_set(
			err, -VARVE_E_NETWORK,
			"the registry's challenge (WWW-Authenticate) names no token server that "
			"could be asked");
		return false;
	}
	if (!secure && http_url_has_scheme(origin, "https")) {
		varve_error_set(err, -VARVE_E_NETWORK,
				"the registry is reached over https, but names a token server "
				"without it (%.200s)",
				host);
		return false;
	}
	if (same_domain(server, host) || (trusted && strv_contains(trusted, host)))
		return true;
	varve_error_set(err, -VARVE_E_NETWORK,
			"the registry %.200s names the token server %.200s, which is of another "
			"domain: your credentials were not sent there",
			server, host);
	varve_error_hint(err, "if it is the right one: --trust-realm %.200s", host);
	return false;
}
