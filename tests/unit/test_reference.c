/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *text, *host, *repository, *tag, *target, *api;
} good[] = {
	{"docker://example.com/a/b:1", "example.com", "a/b", "1", "1", "example.com"},
	{"example.com/a/b", "example.com", "a/b", NULL, "latest", "example.com"},
	{"127.0.0.1:5000/x:v2", "127.0.0.1:5000", "x", "v2", "v2", "127.0.0.1:5000"},
	{"localhost/x", "localhost", "x", NULL, "latest", "localhost"},
	{"[::1]:5000/x", "[::1]:5000", "x", NULL, "latest", "[::1]:5000"},
	{"docker.io/debian:12", "docker.io", "library/debian", "12", "12", "registry-1.docker.io"},
	{"docker.io/me/x", "docker.io", "me/x", NULL, "latest", "registry-1.docker.io"},
	{"example.com/a@sha256:" HEX, "example.com", "a", NULL, "sha256:" HEX, "example.com"},
	{"example.com/a:t@sha256:" HEX, "example.com", "a", "t", "sha256:" HEX, "example.com"},
};

static const struct {
	const char *text, *why;
} bad[] = {
	{"debian", "docker.io/library/debian"},
	{"docker://me/x:1", "docker://docker.io/me/x:1"},
	{"example.com/A", "upper case"},
	{"example.com/a@sha256:12", "no sha256 digest"},
	{"example.com/a@sha512:" HEX, "no sha256 digest"},
	{"example.com:99999/a", "65535"},
	{"example.com/a:", "tag"},
	{"example.com/../etc", "\"..\""},
	{"example.com/a b", "a b"},
	{"example.com/a\nb", "may hold"},
	{"", "empty"},
};

static void reads_references(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CLEANUP(reference_release) struct reference r = {0};
		char target[REFERENCE_TARGET];
		struct varve_error err = {0};

		if (reference_parse(good[i].text, &r, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.text);
		assert_string_equal(r.host, good[i].host);
		assert_string_equal(r.repository, good[i].repository);
		assert_true(str_equal(r.tag, good[i].tag));
		assert_string_equal(reference_target(&r, target), good[i].target);
		assert_string_equal(reference_api_host(&r), good[i].api);
	}
}

static void refuses_references(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(reference_release) struct reference r = {0};
		struct varve_error err = {0};

		if (reference_parse(bad[i].text, &r, &err) != -VARVE_E_USAGE)
			fail_msg("\"%s\" was accepted", bad[i].text);
		if (!strstr(err.text, bad[i].why))
			fail_msg("\"%s\": %s", bad[i].text, err.text);
	}
}

static void writes_them_again(void **state)
{
	CLEANUP(reference_release) struct reference r = {0};
	CLEANUP(free_ptr) char *text = NULL;
	char tag[VARVE_DIGEST_TEXT];

	(void)state;
	assert_int_equal(reference_parse("docker://example.com/a:t@sha256:" HEX, &r, NULL), 0);
	text = reference_text(&r);
	assert_string_equal(text, "example.com/a:t@sha256:" HEX);
	assert_string_equal(reference_referrers_tag(&r.digest, tag), "sha256-" HEX);
}

static void checks_hosts(void **state)
{
	(void)state;
	assert_int_equal(reference_check_host("example.com:443", NULL), 0);
	assert_int_equal(reference_check_host("localhost", NULL), 0);
	assert_int_equal(reference_check_host("example.com/a", NULL), -VARVE_E_USAGE);
	assert_int_equal(reference_check_host("a@example.com", NULL), -VARVE_E_USAGE);
	assert_int_equal(reference_check_host("", NULL), -VARVE_E_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_references),
		cmocka_unit_test(refuses_references),
		cmocka_unit_test(writes_them_again),
		cmocka_unit_test(checks_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
