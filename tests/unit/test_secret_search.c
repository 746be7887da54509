/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "build/secret_search.h"

/* What a scan told. */
struct heard {
	size_t count;
	enum secret_form form; /* of the first hit */
	size_t secret;
};

static void hear(void *cookie, const struct secret_hit *hit)
{
	struct heard *heard = cookie;

	if (heard->count++ > 0)
		return;
	heard->form = hit->form;
	heard->secret = hit->pattern->secret;
}

static struct heard scan_in_parts(const struct secret_set *set, const char *text, size_t len,
				  size_t part)
{
	struct heard heard = {.count = 0};
	CLEANUP(secret_scan_release)
	struct secret_scan scan = {.set = set, .hit = hear, .cookie = &heard};

	for (size_t at = 0; at < len; at += part)
		secret_scan_feed(&scan, text + at, len - at < part ? len - at : part);
	secret_scan_end(&scan);
	return heard;
}

enum { NONE = -1 };

static const struct {
	const char *secret, *text;
	int form; /* NONE: it is not there */
} cases[] = {
	{"hunter2hunter2", "hunter2hunter2", SECRET_PLAIN},
	{"hunter2hunter2", "a hunter2hunter2\n", SECRET_PLAIN},
	{"hunter2hunter2", "hunter2hunter", NONE},
	{"hunter2hunter2", "Hunter2hunter2", NONE},
	{"hunter2hunter2", "hunter2\nhunter2", SECRET_URL}, /* broken into lines */
	{"hunter2hunter2", "aHVudGVyMmh1bnRlcjI=", SECRET_BASE64},
	{"hunter2hunter2", "eGh1bnRlcjJodW50ZXIy", SECRET_BASE64}, /* behind "x" */
	{"hunter2hunter2", "eHhodW50ZXIyaHVudGVyMnl5", SECRET_BASE64}, /* "xx", before "yy" */
	{"hunter2hunter2", "aHVudGVyMm\r\nh1bnRlcjI=", SECRET_BASE64},
	{"hunter2hunter2", "ahVudGVyMmh1bnRlcjI=", NONE},
	{"\xfb\xef\xbe\xfb\xef\xbe\xff\xff\xff", "++++++++////", SECRET_BASE64},
	{"\xfb\xef\xbe\xfb\xef\xbe\xff\xff\xff", "--------____", SECRET_BASE64},
	{"hunter2hunter2", "68756e7465723268756e74657232", SECRET_HEX},
	{"hunter2hunter2", "x68756E7465723268756E74657232", SECRET_HEX},
	{"hunter2hunter2", "h%75nter2hunter%32", SECRET_URL},
	{"a/b c+d%e&f", "a%2Fb%20c%2Bd%25e%26f", SECRET_URL},
	{"a/b c+d%e&f", "a/b%20c%2bd%25e%26f", SECRET_URL},
	{"a/b c+d%e&f", "a%2Fb+c%2Bd%25e%26f", SECRET_URL}, /* a form */
	{"a/b c+d%e&f", "x%4a/b c+d%e&f", SECRET_PLAIN}, /* the second view takes "%4a" for "J" */
	{"100%41sure!", "100%41sure!", SECRET_PLAIN},
	{"100%41sure!", "100%2541sure!", SECRET_URL},
	{"ends in %4", "ends%20in%20%4", SECRET_URL},
	{"aaaaaaaa", "aaaaaaa", NONE},
	{"aaaaaaaa", "baaaaaaaab", SECRET_PLAIN},
	{"line one\nline two", "line one\nline two\n", SECRET_PLAIN},
	{"line one\nline two", "line one%0Aline two", SECRET_URL},
	{"line one\nline two", "line one\\nline two", NONE}, /* no JSON */
	{"a 100%41sure!", "a+100%2541sure!", SECRET_URL},
};

/* Whatever parts the stream comes in. */
static void forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(secret_set_release) struct secret_set set = {0};
		size_t len = strlen(cases[i].text);

		assert_true(secret_set_add(&set, cases[i].secret, strlen(cases[i].secret)));
		secret_set_ready(&set);
		for (size_t part = 1; part <= len; part++) {
			struct heard heard = scan_in_parts(&set, cases[i].text, len, part);

			if ((heard.count > 0) != (cases[i].form != NONE) ||
			    (heard.count > 0 && (int)heard.form != cases[i].form))
				fail_msg("case %zu, %s in parts of %zu: %zu hits, form %d", i,
					 cases[i].text, part, heard.count, heard.form);
		}
	}
}

static void short_ones_are_not_searched_for(void **state)
{
	CLEANUP(secret_set_release) struct secret_set set = {0};
	struct heard heard;

	(void)state;
	assert_false(secret_set_add(&set, "1234567", 7));
	assert_int_equal(set.count, 0);
	assert_true(secret_set_add(&set, "12345678", 8));
	secret_set_ready(&set);
	heard = scan_in_parts(&set, "1234567x 12345678", 17, 5);
	assert_true(heard.count > 0);
	assert_int_equal(heard.secret, 1);
}

/* Of a long secret the beginning is searched for. */
static void long_ones(void **state)
{
	CLEANUP(secret_set_release) struct secret_set set = {0};
	CLEANUP(buf_release) struct buf secret = BUF_INIT;
	unsigned random = 7;

	(void)state;
	while (secret.len < 3 * SECRET_MAXIMUM) {
		random = random * 1103515245 + 12345;
		buf_addc(&secret, (char)(random >> 16));
	}
	assert_true(secret_set_add(&set, secret.data, secret.len));
	secret_set_ready(&set);
	assert_int_equal(set.longest, 2 * SECRET_MAXIMUM); /* in hexadecimal */
	assert_true(scan_in_parts(&set, secret.data, SECRET_MAXIMUM, 4096).count > 0);
	assert_int_equal(scan_in_parts(&set, secret.data, SECRET_MAXIMUM - 1, 4096).count, 0);
}

/* Against memmem, on texts of few letters, where near misses abound. */
static void agrees_with_memmem(void **state)
{
	unsigned random = 1, found = 0;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		CLEANUP(secret_set_release) struct secret_set set = {0};
		char text[300], secrets[3][12];
		bool there = false;

		for (size_t i = 0; i < sizeof(text); i++) {
			random = random * 1103515245 + 12345;
			text[i] = (char)('x' + (random >> 16) % 2);
		}
		for (size_t k = 0; k < 3; k++) {
			for (size_t i = 0; i < 8 + k; i++) {
				random = random * 1103515245 + 12345;
				secrets[k][i] = (char)('x' + (random >> 16) % 2);
			}
			there = there || memmem(text, sizeof(text), secrets[k], 8 + k);
			assert_true(secret_set_add(&set, secrets[k], 8 + k));
		}
		secret_set_ready(&set);
		found += there;
		assert_int_equal(scan_in_parts(&set, text, sizeof(text), 1 + round % 40).count > 0,
				 there);
	}
	assert_true(found > 200 && found < 1990);
}

/* A stream begins anew: what ended the last one is forgotten. */
static void streams_are_apart(void **state)
{
	CLEANUP(secret_set_release) struct secret_set set = {0};
	struct heard heard = {.count = 0};
	CLEANUP(secret_scan_release)
	struct secret_scan scan = {.set = &set, .hit = hear, .cookie = &heard};

	(void)state;
	assert_true(secret_set_add(&set, "12345678", 8));
	secret_set_ready(&set);
	secret_scan_feed(&scan, "x1234", 5);
	secret_scan_begin(&scan);
	secret_scan_feed(&scan, "5678", 4);
	assert_int_equal(heard.count, 0);
	secret_scan_begin(&scan);
	secret_scan_feed(&scan, "1234", 4);
	secret_scan_feed(&scan, "5678", 4);
	assert_true(heard.count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(short_ones_are_not_searched_for),
		cmocka_unit_test(long_ones),
		cmocka_unit_test(agrees_with_memmem),
		cmocka_unit_test(streams_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
