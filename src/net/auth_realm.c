/* SPDX-License-Identifier: Apache-2.0
 * Which token servers may see a secret: a server must not send it elsewhere by naming a realm. */
#include <string.h>
#include <strings.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "net/auth.h"
#include "net/http_url.h"
#include "net/registrable.h"

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
	return strcasecmp(a, b) == 0 || (is_here(a) && is_here(b)) || registrable_is_common(a, b);
}

bool auth_realm_is_named(const char *realm, const struct strv *trusted)
{
	CLEANUP(free_ptr) char *host = http_url_host(realm);

	return trusted && strv_contains(trusted, host);
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
	if (same_domain(server, host) || auth_realm_is_named(realm, trusted))
		return true;
	varve_error_set(err, -VARVE_E_NETWORK,
			"the registry %.200s names the token server %.200s, which is of another "
			"domain: your credentials were not sent there",
			server, host);
	varve_error_hint(err, "if it is the right one: --trust-realm %.200s", host);
	return false;
}
