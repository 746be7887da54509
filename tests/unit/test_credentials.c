/* SPDX-License-Identifier: Apache-2.0 */
#include "net/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/base64.h"
#include "scratch.h"

/* dTpw: u:p, djpx: v:q, dTpwOnA=: u:p:p */
static const struct {
	const char *file, *host, *repository;
	const char *user, *secret; /* NULL: not known */
} cases[] = {
	{"{\"auths\":{\"h.io\":{\"auth\":\"dTpw\"}}}", "h.io", "a/b", "u", "p"},
	{"{\"auths\":{\"h.io\":{\"auth\":\"dTpwOnA=\"}}}", "h.io", "a", "u", "p:p"},
	{"{\"auths\":{\"h.io\":{\"auth\":\"dTpw\"}}}", "h.io:5000", "a", NULL, NULL},
	{"{\"auths\":{\"h.io\":{\"auth\":\"dTpw\"}}}", "h.i", "a", NULL, NULL},
	{"{\"auths\":{\"https://h.io/v1/\":{\"auth\":\"dTpw\"}}}", "h.io", "a", "u", "p"},
	{"{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"}}}", "docker.io", "a", "u",
	 "p"},
	{"{\"auths\":{\"docker.io\":{\"auth\":\"dTpw\"}}}", "registry-1.docker.io", "a", "u", "p"},
	{"{\"auths\":{\"h.io\":{\"auth\":\"dTpw\"},\"h.io/a\":{\"auth\":\"djpx\"}}}", "h.io", "a/b",
	 "v", "q"},
	{"{\"auths\":{\"h.io\":{\"auth\":\"dTpw\"},\"h.io/a\":{\"auth\":\"djpx\"}}}", "h.io", "ab",
	 "u", "p"},
	{"{\"auths\":{\"h.io\":{\"username\":\"u\",\"password\":\"p\",\"x\":1}}}", "h.io", "a", "u",
	 "p"},
	{"{\"auths\":{\"h.io\":{\"auth\":\"!!\"}}}", "h.io", "a", NULL, NULL},
	{"{\"auths\":{\"h.io\":{\"auth\":\"dQ==\"}}}", "h.io", "a", NULL, NULL},
	{"{\"auths\":{\"h.io\":{}}}", "h.io", "a", NULL, NULL},
	{"{\"auths\":[1]}", "h.io", "a", NULL, NULL},
	{"{}", "h.io", "a", NULL, NULL},
};

static void reads_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(credentials_release) struct credentials c = {0};
		CLEANUP(json_decrefp) json_t *file = json_loads(cases[i].file, 0, NULL);
		struct varve_error err = {0};
		int r = credentials_in(file, cases[i].host, cases[i].repository, &c, &err);

		if (r != (cases[i].user != NULL) || !str_equal(c.user, cases[i].user) ||
		    !str_equal(c.secret, cases[i].secret))
			fail_msg("%s for %s: %d %s %s", cases[i].file, cases[i].host, r, c.user,
				 c.secret);
	}
}

static void keeps_tokens_apart(void **state)
{
	CLEANUP(credentials_release) struct credentials c = {0};
	CLEANUP(json_decrefp)
	json_t *file = json_loads("{\"auths\":{\"h.io\":{\"auth\":\"dTpw\",\"identitytoken\":\"i\","
				  "\"registrytoken\":\"r\"}}}",
				  0, NULL);

	(void)state;
	assert_int_equal(credentials_in(file, "h.io", "a", &c, NULL), 1);
	assert_string_equal(c.identity_token, "i");
	assert_string_equal(c.registry_token, "r");
}

/* --- files ---------------------------------------------------------------------------------------
 */

static void writes_and_erases(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(free_ptr) char *authfile = xasprintf("%s/new/auth.json", s->path);
	const struct credentials mine = {.user = (char[]){"me"}, .secret = (char[]){"a:b"}};
	CLEANUP(credentials_release) struct credentials found = {0};
	CLEANUP(credentials_release) struct credentials gone = {0};
	CLEANUP(strv_release) struct strv looked_at = STRV_INIT;
	CLEANUP(free_ptr) char *path = NULL;
	CLEANUP(free_ptr) char *erased = NULL;
	CLEANUP(free_ptr) char *again = NULL;
	struct varve_error err = {0};
	struct stat st;

	assert_int_equal(credentials_store(authfile, "h.io:5000", &mine, &path, &err), 0);
	assert_string_equal(path, authfile);
	assert_int_equal(stat(authfile, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(credentials_find(authfile, "h.io:5000", "a", &found, &looked_at, &err), 0);
	assert_string_equal(found.user, "me");
	assert_string_equal(found.secret, "a:b");
	assert_int_equal(looked_at.count, 1);
	assert_int_equal(credentials_erase(authfile, "h.io:5000", &erased, &err), 0);
	assert_int_equal(credentials_find(authfile, "h.io:5000", "a", &gone, &looked_at, &err), 0);
	assert_true(credentials_are_none(&gone));
	assert_int_equal(credentials_erase(authfile, "h.io:5000", &again, &err),
			 -VARVE_E_NOT_FOUND);
}

static void shows_nothing_of_a_broken_file(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(free_ptr) char *authfile = xasprintf("%s/auth.json", s->path);
	CLEANUP(strv_release) struct strv looked_at = STRV_INIT;
	struct credentials c = {0};
	struct varve_error err = {0};

	scratch_write(s, "auth.json", "{\"auths\":{\"h\":{\"auth\": SENTINEL");
	assert_int_equal(credentials_find(authfile, "h.io", "a", &c, &looked_at, &err),
			 -VARVE_E_USAGE);
	assert_non_null(strstr(err.text, authfile));
	assert_null(strstr(err.text, "SENTINEL"));
}

/* --- helpers -------------------------------------------------------------------------------------
 */

static void write_helper(const struct scratch *s, const char *script)
{
	CLEANUP(free_ptr)
	char *path = xasprintf("%s:%s", s->path, getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");

	scratch_write(s, "docker-credential-mine", script);
	assert_int_equal(fchmodat(s->fd, "docker-credential-mine", 0755, 0), 0);
	if (!strstr(getenv("PATH"), s->path))
		assert_int_equal(setenv("PATH", path, 1), 0);
}

static const struct {
	const char *script;
	int result;
	const char *user, *identity, *why;
} helpers[] = {
	{"#!/bin/sh\nread s; echo \"{\\\"Username\\\":\\\"$1-$s\\\",\\\"Secret\\\":\\\"x\\\"}\"\n",
	 1, "get-h.io", NULL, NULL},
	{"#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"tok\"}'\n", 1, NULL, "tok", NULL},
	{"#!/bin/sh\necho credentials not found in native keychain; exit 1\n", 0, NULL, NULL, NULL},
	{"#!/bin/sh\necho the keychain is locked; exit 1\n", -VARVE_E_HOST, NULL, NULL,
	 "the keychain is locked"},
	{"#!/bin/sh\necho SENTINEL\n", -VARVE_E_HOST, NULL, NULL, "not the answer"},
};

static void asks_helpers(void **state)
{
	static const char config[] = "{\"credHelpers\":{\"h.io\":\"mine\"},"
				     "\"auths\":{\"h.io\":{\"auth\":\"dTpw\"}}}";

	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		CLEANUP(credentials_release) struct credentials c = {0};
		CLEANUP(json_decrefp) json_t *file = json_loads(config, 0, NULL);
		struct varve_error err = {0};
		int r;

		write_helper(*state, helpers[i].script);
		r = credentials_in(file, "h.io", "a", &c, &err);
		if (r != helpers[i].result)
			fail_msg("helper %zu: %d %s", i, r, err.text);
		assert_true(str_equal(c.user, helpers[i].user));
		assert_true(str_equal(c.identity_token, helpers[i].identity));
		assert_null(strstr(err.text, "SENTINEL"));
		if (helpers[i].why)
			assert_non_null(strstr(err.text, helpers[i].why));
	}
}

static void refuses_names_of_helpers(void **state)
{
	CLEANUP(json_decrefp)
	json_t *file = json_loads("{\"credHelpers\":{\"h.io\":\"../../bin/x\"}}", 0, NULL);
	struct credentials c = {0};

	(void)state;
	assert_int_equal(credentials_in(file, "h.io", "a", &c, NULL), -VARVE_E_USAGE);
}

/* --- base64 --------------------------------------------------------------------------------------
 */

static void codes_base64(void **state)
{
	static const struct {
		const char *plain, *coded;
	} pairs[] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
		     {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}};
	static const char *const wrong[] = {"A", "Zg=", "Z===", "Zm9v!", "Zg==Zg==", "Z g="};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		CLEANUP(buf_release) struct buf coded = BUF_INIT;
		CLEANUP(buf_release) struct buf plain = BUF_INIT;

		base64_encode(pairs[i].plain, strlen(pairs[i].plain), &coded);
		assert_string_equal(buf_text(&coded), pairs[i].coded);
		assert_int_equal(base64_decode(pairs[i].coded, &plain), 0);
		assert_string_equal(buf_text(&plain), pairs[i].plain);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CLEANUP(buf_release) struct buf plain = BUF_INIT;

		if (base64_decode(wrong[i], &plain) != -VARVE_E_FORMAT)
			fail_msg("\"%s\" was accepted", wrong[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_files),   cmocka_unit_test(keeps_tokens_apart),
		SCRATCH_TEST(writes_and_erases), SCRATCH_TEST(shows_nothing_of_a_broken_file),
		SCRATCH_TEST(asks_helpers),      cmocka_unit_test(refuses_names_of_helpers),
		cmocka_unit_test(codes_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
