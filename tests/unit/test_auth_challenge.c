/* SPDX-License-Identifier: Apache-2.0 */
#include "net/auth_challenge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "net/auth.h"

static const struct {
	const char *header;
	size_t count;
	enum auth_scheme scheme; /* that is looked for */
	const char *realm, *service, *scope, *error;
} cases[] = {
	{"Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull,push\"", 1,
	 AUTH_BEARER, "https://a/t", "s", "repository:x:pull,push", NULL},
	{"bearer Realm=\"r\" , SERVICE=s", 1, AUTH_BEARER, "r", "s", NULL, NULL},
	{"Basic realm=\"with \\\"quotes\\\" and, commas\"", 1, AUTH_BASIC,
	 "with \"quotes\" and, commas", NULL, NULL, NULL},
	{"Basic realm=\"b\", Bearer realm=\"r\",error=\"insufficient_scope\"", 2, AUTH_BEARER, "r",
	 NULL, NULL, "insufficient_scope"},
	{"Negotiate, Basic realm=x", 2, AUTH_BASIC, "x", NULL, NULL, NULL},
	{"Negotiate abc==, Basic realm=x", 2, AUTH_BASIC, "x", NULL, NULL, NULL},
	{"Digest realm=\"d\", nonce=\"n\", Bearer realm=\"r\"", 2, AUTH_BEARER, "r", NULL, NULL,
	 NULL},
	{"Bearer realm=https://a/t,service=s", 1, AUTH_BEARER, "https://a/t", "s", NULL, NULL},
	{"Bearer", 1, AUTH_BEARER, NULL, NULL, NULL, NULL},
	{"Bearer realm=\"r\",realm=\"second\"", 1, AUTH_BEARER, "r", NULL, NULL, NULL},
	{",, ,Basic realm=\"\"", 1, AUTH_BASIC, "", NULL, NULL, NULL},
};

static void reads_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(auth_challenges_release) struct auth_challenges all = {0};
		const struct auth_challenge *c;

		auth_challenges_add(&all, cases[i].header);
		c = auth_challenges_find(&all, cases[i].scheme);
		if (all.count != cases[i].count || !c)
			fail_msg("%s: %zu challenges", cases[i].header, all.count);
		else if (!str_equal(c->realm, cases[i].realm) ||
			 !str_equal(c->service, cases[i].service) ||
			 !str_equal(c->scope, cases[i].scope) ||
			 !str_equal(c->error, cases[i].error))
			fail_msg("%s: realm %s service %s scope %s", cases[i].header, c->realm,
				 c->service, c->scope);
	}
}

static void survives_nonsense(void **state)
{
	static const char *const headers[] = {"",
					      ",",
					      "=",
					      "\"",
					      "Basic realm=\"no end",
					      "a=b",
					      "Bearer realm=\"\\",
					      "\x01\x02, Basic",
					      "Basic realm",
					      "Bearer ====,,,==\"\""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		CLEANUP(auth_challenges_release) struct auth_challenges all = {0};

		for (int n = 0; n < 40; n++)
			auth_challenges_add(&all, headers[i]);
		assert_true(all.count <= 16);
	}
}

static void several_headers_add_up(void **state)
{
	CLEANUP(auth_challenges_release) struct auth_challenges all = {0};

	(void)state;
	auth_challenges_add(&all, " Basic realm=\"b\"");
	auth_challenges_add(&all, " Bearer realm=\"r\"");
	assert_int_equal(all.count, 2);
	assert_string_equal(auth_challenges_find(&all, AUTH_BEARER)->realm, "r");
}

/* --- who may see the secret ----------------------------------------------------------------------
 */

static const struct {
	const char *origin, *realm;
	bool trusted;
} realms[] = {
	{"https://ghcr.io", "https://ghcr.io/token", true},
	{"https://registry-1.docker.io", "https://auth.docker.io/token", true},
	{"https://registry.gitlab.com", "https://gitlab.com/jwt/auth", true},
	{"https://registry.example.co.uk", "https://auth.example.co.uk/t", true},
	{"https://registry.example.co.uk", "https://auth.other.co.uk/t", false},
	{"https://a.co.uk", "https://b.co.uk/t", false},
	{"https://a.co.uk", "https://auth.A.co.uk/t", true},
	{"https://one.github.io", "https://other.github.io/t", false},
	{"https://registry.example.com.au", "https://auth.example.com.au/t", true},
	{"https://com", "https://com/t", true},
	{"https://co.uk", "https://a.co.uk/t", false},
	{"https://example.com", "https://evil.net/t", false},
	{"https://example.com", "https://notexample.com/t", false},
	{"https://example.com", "https://example.com.evil.net/t", false},
	{"https://example.com", "http://example.com/t", false},
	{"https://example.com", "https://example.com@evil.net/t", false},
	{"https://example.com", "https://127.0.0.1/t", false},
	{"https://example.com", "https://169.254.169.254/t", false},
	{"https://example.com", "ftp://example.com/t", false},
	{"http://127.0.0.1:5000", "http://127.0.0.1:5001/t", true},
	{"http://localhost:5000", "http://127.0.0.1:5001/t", true},
	{"https://10.0.0.1", "https://10.0.0.2/t", false},
	{"https://10.1.0.1", "https://10.2.0.1/t", false},
	{"https://10.0.0.1", "https://10.0.0.1:8443/t", true},
	{"https://registry", "https://auth/t", false},
	{"https://example.com", "https://named.net/t", true},
};

static void trusts_realms(void **state)
{
	CLEANUP(strv_release) struct strv trusted = STRV_INIT;

	(void)state;
	strv_add(&trusted, "named.net");
	for (size_t i = 0; i < ARRAY_SIZE(realms); i++) {
		struct varve_error err = {0};
		bool is = auth_realm_is_trusted(realms[i].origin, realms[i].realm, &trusted, &err);

		if (is != realms[i].trusted)
			fail_msg("%s, %s: %d", realms[i].origin, realms[i].realm, is);
		assert_true(is == (err.code == 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_headers),
		cmocka_unit_test(survives_nonsense),
		cmocka_unit_test(several_headers_add_up),
		cmocka_unit_test(trusts_realms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
