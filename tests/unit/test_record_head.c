/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define GET "GET / HTTP/1.1\r\n"

static const struct {
	const char *text;
	size_t len;
	const char *wrong; /* part of the message; NULL: it is taken */
} heads[] = {
#define HEAD(text, wrong)                                                                          \
	{                                                                                          \
		text, sizeof(text) - 1, wrong                                                      \
	}
	HEAD(GET "Host: a\r\n\r\n", NULL),
	HEAD("GET / HTTP/1.0\n\n", NULL),
	HEAD("\r\n\r\n", "no request line"),
	HEAD("GET /\r\n\r\n", "no request line"),
	HEAD("G T / HTTP/1.1\r\n\r\n", "another version"),
	HEAD("G(T / HTTP/1.1\r\n\r\n", "no method or target"),
	HEAD(" / HTTP/1.1\r\n\r\n", "no method or target"),
	HEAD("GET  HTTP/1.1\r\n\r\n", "no method or target"),
	HEAD("GET / HTTP/2.0\r\n\r\n", "another version"),
	HEAD("GET /\x01 HTTP/1.1\r\n\r\n", "no request line"),
	HEAD("GET /\0 HTTP/1.1\r\n\r\n", "a zero byte"),
	HEAD(GET "A: b\r\n folded\r\n\r\n", "a line that is no field"),
	HEAD(GET "no colon\r\n\r\n", "a line that is no field"),
	HEAD(GET ": empty\r\n\r\n", "a line that is no field"),
	HEAD(GET "A : b\r\n\r\n", "whose name makes no sense"),
	HEAD(GET "A: b\rC: d\r\n\r\n", "a line that is no field"),
	HEAD(GET "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "two different lengths"),
	HEAD(GET "Content-Length: -1\r\n\r\n", "a length that makes no sense"),
	HEAD(GET "Content-Length: 99999999999999999999\r\n\r\n", "a length that makes no sense"),
	HEAD(GET "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "a length that makes"),
	HEAD(GET "Transfer-Encoding: gzip\r\n\r\n", "an unknown transfer coding"),
};

static void test_heads(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		CLEANUP(record_head_release) struct record_head head = {0};
		struct varve_error err = {0};
		int r = record_head_parse(heads[i].text, heads[i].len, &head, &err);

		assert_int_equal(r, heads[i].wrong ? -VARVE_E_FORMAT : 0);
		if (heads[i].wrong && !strstr(err.text, heads[i].wrong))
			fail_msg("%zu: %s", i, err.text);
	}
}

static void test_limits(void **state)
{
	CLEANUP(buf_release) struct buf many = BUF_INIT;
	CLEANUP(buf_release) struct buf far = BUF_INIT;
	CLEANUP(record_head_release) struct record_head head = {0};
	struct varve_error err = {0};
	int i;

	(void)state;
	buf_addstr(&many, GET);
	for (i = 0; i <= RECORD_FIELD_LIMIT; i++)
		buf_addstr(&many, "A: b\r\n");
	buf_addstr(&many, "\r\n");
	assert_int_equal(record_head_parse(many.data, many.len, &head, &err), -VARVE_E_FORMAT);
	assert_non_null(strstr(err.text, "too many fields"));
	buf_addstr(&far, "GET /");
	for (i = 0; i <= RECORD_URL_LIMIT; i++)
		buf_addc(&far, 'a');
	buf_addstr(&far, " HTTP/1.1\r\n\r\n");
	assert_int_equal(record_head_parse(far.data, far.len, &head, &err), -VARVE_E_FORMAT);
}

static void test_length(void **state)
{
	(void)state;
	assert_int_equal(record_head_length("a\r\n\r\nb", 6), 5);
	assert_int_equal(record_head_length("a\n\nb", 4), 3);
	assert_int_equal(record_head_length("a\r\nb\r\n", 6), 0);
	assert_int_equal(record_head_length("", 0), 0);
}

static const struct {
	const char *target, *host, *url;
} urls[] = {
	{"/x?q#f", NULL, "http://field:1/x?q"},
	{"/x", "tunnel", "http://tunnel/x"},
	{"https://u:secret@h/x", NULL, "https://h/x"},
	{"http://h", NULL, "http://h/"},
	{"http://h?q", NULL, "http://h/?q"},
	{"ftp://h/x", NULL, NULL},
	{"http://h h/", NULL, NULL},
	{"http:///x", NULL, NULL},
	{"*", NULL, NULL},
	{"/x", "a b", NULL},
};

static void test_urls(void **state)
{
	static struct record_field field = {"host", "field:1"};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(urls); i++) {
		const struct record_head head = {
			.target = urls[i].target, .fields = &field, .count = 1};
		CLEANUP(free_ptr) char *url = record_head_url(&head, "http", urls[i].host);

		if (urls[i].url)
			assert_string_equal(url, urls[i].url);
		else
			assert_null(url);
	}
}

static void test_hosts(void **state)
{
	(void)state;
	assert_true(record_is_host("a.org:443"));
	assert_true(record_is_host("[::1]:443"));
	assert_false(record_is_host(""));
	assert_false(record_is_host("a/b"));
	assert_false(record_is_host("a:443\r\nX: y"));
	assert_false(record_is_host("u@a"));
	assert_false(record_is_host("a:0"));
	assert_false(record_is_host("a:65536"));
	assert_false(record_is_host("a:"));
	assert_false(record_is_host("a:x"));
}

static const struct {
	const char *agent, *python;
} agents[] = {
	{"pip/24.0 {\"cpu\":\"x86_64\",\"python\":\"3.11.2\"}", "3.11"},
	{"Python-urllib/3.12", "3.12"},
	{"pip/24.0 {\"python\":\"3.999\"}", NULL},
	{"pip/24.0 {\"python\":\"", NULL},
	{"curl/8", NULL},
};

static void test_agents(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(agents); i++) {
		struct record_field field = {"user-agent", agents[i].agent};
		const struct record_head head = {.fields = &field, .count = 1};
		CLEANUP(free_ptr) char *python = record_head_python(&head);

		assert_true(str_equal(python, agents[i].python));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),  cmocka_unit_test(test_limits),
		cmocka_unit_test(test_length), cmocka_unit_test(test_urls),
		cmocka_unit_test(test_hosts),  cmocka_unit_test(test_agents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
