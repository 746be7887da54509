/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>
#include "fault_server.h"

enum { CONTENT = 300 * 1000 };

static char content[CONTENT];

/* --- one request, one answer ---------------------------------------------------------------------
 */

struct exchange_case {
	const char *name;
	struct fault_step step;
	int result;
	long status;
	size_t text; /* bytes of the answer */
	bool broken;
	const char *why;
};

static const struct exchange_case cases[] = {
	{"plain", {FAULT_NONE, 0}, 0, 200, CONTENT, false, NULL},
	{"refused", {FAULT_STATUS, 401}, 0, 401, 9, false, NULL},
	{"busy", {FAULT_WAIT, 7}, 0, 429, 9, false, NULL},
	{"elsewhere", {FAULT_REDIRECT, 0}, 0, 302, 9, false, NULL},
	{"elsewhere, and to a file", {FAULT_FOREIGN, 0}, 0, 302, 9, false, NULL},
	{"reset", {FAULT_RESET, 1000}, -VARVE_E_NETWORK, 0, 0, true, "reset"},
	{"cut", {FAULT_TRUNCATE, 1000}, -VARVE_E_NETWORK, 0, 0, true, NULL},
	{"silent", {FAULT_STALL, 1000}, -VARVE_E_NETWORK, 0, 0, true, "silent for 1 seconds"},
	{"without an end", {FAULT_ENDLESS, 200}, -VARVE_E_LIMIT, 200, 0, false, "allowed"},
};

static void answers(void **state)
{
	CLEANUP(http_client_freep) struct http_client *client = NULL;

	(void)state;
	assert_int_equal(http_client_new(&client, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct fault_step script[FAULT_STEPS] = {cases[i].step};
		struct fault_server server = {.script = script, .content = content, .len = CONTENT};
		CLEANUP(http_answer_release) struct http_answer answer = {0};
		CLEANUP(free_ptr) char *url = NULL;
		struct http_request request = {
			.method = "GET", .stall_seconds = 1, .limit = 400 * 1000};
		struct varve_error err = {0};
		int r;

		fault_server_start(&server);
		url = xasprintf("http://127.0.0.1:%u/file", server.port);
		request.url = url;
		r = http_exchange(client, &request, &answer, &err);
		fault_server_stop(&server);
		if (r != cases[i].result || answer.status != cases[i].status ||
		    answer.broken != cases[i].broken)
			fail_msg("%s: %d status %ld broken %d: %s", cases[i].name, r, answer.status,
				 answer.broken, err.text);
		if (r == 0)
			assert_int_equal(answer.text.len, cases[i].text);
		if (cases[i].why && !strstr(err.text, cases[i].why))
			fail_msg("%s: %s", cases[i].name, err.text);
		if (cases[i].step.fault == FAULT_WAIT)
			assert_int_equal(answer.retry_after, 7);
		if (cases[i].step.fault == FAULT_REDIRECT)
			assert_string_equal(answer.redirect, url);
	}
}

static void a_dead_port_is_refused(void **state)
{
	CLEANUP(http_client_freep) struct http_client *client = NULL;
	CLEANUP(http_answer_release) struct http_answer answer = {0};
	const struct http_request request = {.method = "HEAD", .url = "http://127.0.0.1:1/"};
	struct varve_error err = {0};

	(void)state;
	assert_int_equal(http_client_new(&client, NULL), 0);
	assert_int_equal(http_exchange(client, &request, &answer, &err), -VARVE_E_NETWORK);
	assert_true(answer.refused);
	assert_non_null(strstr(err.text, "127.0.0.1:1: Connection refused"));
}

static void only_http_is_spoken(void **state)
{
	CLEANUP(http_client_freep) struct http_client *client = NULL;
	CLEANUP(http_answer_release) struct http_answer answer = {0};
	const struct http_request request = {.method = "GET", .url = "file:///etc/hostname"};
	struct varve_error err = {0};

	(void)state;
	assert_int_equal(http_client_new(&client, NULL), 0);
	assert_int_equal(http_exchange(client, &request, &answer, &err), -VARVE_E_NETWORK);
	assert_int_equal(answer.text.len, 0);
	assert_false(answer.broken);
}

static void headers_are_found_whatever_their_case(void **state)
{
	CLEANUP(strv_release) struct strv headers = STRV_INIT;

	(void)state;
	strv_add(&headers, "Location-X: no");
	strv_add(&headers, "LOCATION:  /here");
	assert_string_equal(http_header(&headers, "Location"), "/here");
	assert_null(http_header(&headers, "Locatio"));
}

/* --- addresses -----------------------------------------------------------------------------------
 */

static const struct {
	const char *host;
	enum http_reach reach;
} reaches[] = {
	{"8.8.8.8", HTTP_REACH_PUBLIC},
	{"2606:4700::1111", HTTP_REACH_PUBLIC},
	{"10.0.0.1", HTTP_REACH_PRIVATE},
	{"172.16.0.1", HTTP_REACH_PRIVATE},
	{"172.32.0.1", HTTP_REACH_PUBLIC},
	{"192.168.1.1", HTTP_REACH_PRIVATE},
	{"192.169.1.1", HTTP_REACH_PUBLIC},
	{"100.64.0.1", HTTP_REACH_PRIVATE},
	{"100.128.0.1", HTTP_REACH_PUBLIC},
	{"fd00::1", HTTP_REACH_PRIVATE},
	{"169.254.169.254", HTTP_REACH_LINK},
	{"0.0.0.0", HTTP_REACH_LINK},
	{"::", HTTP_REACH_LINK},
	{"fe80::1", HTTP_REACH_LINK},
	{"127.9.9.9", HTTP_REACH_LOOPBACK},
	{"::1", HTTP_REACH_LOOPBACK},
	{"::ffff:127.0.0.1", HTTP_REACH_LOOPBACK},
	{"::ffff:10.0.0.1", HTTP_REACH_PRIVATE},
	{"localhost", HTTP_REACH_LOOPBACK},
	{"registry.localhost", HTTP_REACH_LOOPBACK},
	{"registry.example", HTTP_REACH_UNKNOWN},
	{"127.0.0.1.example", HTTP_REACH_UNKNOWN},
};

static void tells_networks_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reaches); i++) {
		if (http_reach_of(reaches[i].host) != reaches[i].reach)
			fail_msg("%s: %s", reaches[i].host,
				 http_reach_text(http_reach_of(reaches[i].host)));
	}
}

/* Rows: who names the address; columns: where it lies, both as in the enumeration. */
static void leads_only_where_it_may(void **state)
{
	static const char *const may[] = {"yyynn", "yynnn", "yyynn", "yynyn", "yyyny"};

	(void)state;
	for (size_t from = 0; from < ARRAY_SIZE(may); from++) {
		const char *c = may[from];

		for (size_t to = 0; to <= HTTP_REACH_LOOPBACK; to++, c++) {
			if (http_reach_may_lead((enum http_reach)from, (enum http_reach)to) !=
			    (*c == 'y'))
				fail_msg("%zu to %zu", from, to);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(a_dead_port_is_refused),
		cmocka_unit_test(only_http_is_spoken),
		cmocka_unit_test(tells_networks_apart),
		cmocka_unit_test(leads_only_where_it_may),
		cmocka_unit_test(headers_are_found_whatever_their_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
