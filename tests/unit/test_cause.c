/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/cause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"

static const struct {
	const char *a, *b;
	enum cure_rule rule;
} cases[] = {
	{"Nov 25 2026", "Jan  2 2027", CURE_TIMESTAMP},
	{"at 10:01:32", "at 23:59:00", CURE_TIMESTAMP},
	{"x 2026-11-25T10:01:32Z y", "x 2027-01-01T00:00:00Z y", CURE_TIMESTAMP},
	{"20261125", "20270101", CURE_TIMESTAMP},
	{"20261125T100132Z", "20270101T000000Z", CURE_TIMESTAMP},
	{"25/11/2026", "01/01/2027", CURE_TIMESTAMP},
	{"mtime 1764064892", "mtime 1764064899.25", CURE_TIMESTAMP},
	{"(c) 2025 a", "(c) 2026 a", CURE_TIMESTAMP},
	{"Wed Nov 25 10:01:32 AM UTC 2026", "Thu Nov 26 9:01:32 AM UTC 2026", CURE_NONE},
	{"Wed Nov 25 10:01:32 AM UTC 2026", "Thu Nov  6 09:01:32 PM UTC 2026", CURE_TIMESTAMP},
	{"Marching 5", "March 5", CURE_NONE},
	{"/tmp/ccAbCdEf.o: x", "/tmp/cc123456.o: x", CURE_TEMPORARY_NAME},
	{"in tmp.aB3dE6gH9k", "in tmp.zzzzzzzzzz", CURE_TEMPORARY_NAME},
	{"tmpab12_x9z", "tmpqq98_k1l", CURE_TEMPORARY_NAME},
	{"template", "tempered", CURE_NONE},
	{"root@build-1", "root@build-22", CURE_HOST_NAME},
	{"/home/a/p/x.c:1", "/srv/x.c:1", CURE_BUILD_PATH},
	{"-I/home/a/include -O2", "-I/home/bb/include -O2", CURE_BUILD_PATH},
	{"/home/a/x.c", "/home/a/y.c", CURE_NONE},
	{"id=deadbeef01", "id=0123456789", CURE_RANDOM},
	{"_GLOBAL__I_00100_0_main.c_5f3a9c1e_0x1b2c", "_GLOBAL__I_00100_0_main.c_11112222_0x9999",
	 CURE_RANDOM},
	{"pid 123", "pid 45678", CURE_PROCESS_ID},
	{"v1.10", "v1.11", CURE_NONE},
	{"1.2.3", "1.2.14", CURE_NONE},
	{"package10", "package11", CURE_NONE},
	{"hello", "world", CURE_NONE},
	{"", "x", CURE_NONE},
	{"same", "same", CURE_NONE},
};

static void tells_why_texts_differ(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum cure_rule rule =
			cause_of(cases[i].a, strlen(cases[i].a), cases[i].b, strlen(cases[i].b));
		enum cure_rule back =
			cause_of(cases[i].b, strlen(cases[i].b), cases[i].a, strlen(cases[i].a));

		if (rule != cases[i].rule || back != rule)
			fail_msg("\"%s\", \"%s\": rule %d, back %d, not %d", cases[i].a, cases[i].b,
				 (int)rule, (int)back, (int)cases[i].rule);
	}
}

static void every_rule_has_its_words(void **state)
{
	(void)state;
	assert_null(cure_of(CURE_NONE));
	assert_null(cure_of(CURE_COUNT));
	assert_null(cure_find(NULL));
	assert_null(cure_find("no-such-rule"));
	for (int rule = CURE_NONE + 1; rule < CURE_COUNT; rule++) {
		const struct cure *cure = cure_of((enum cure_rule)rule);

		assert_non_null(cure->id);
		assert_true(strlen(cure->why) > 10 && strlen(cure->cure) > 5);
		assert_ptr_equal(cure_find(cure->id), cure); /* ids are unique */
	}
}

static void places_tell_rules(void **state)
{
	static const struct {
		enum difference_class class;
		const char *path, *field;
		enum cure_rule rule;
	} places[] = {
		{DIFFERENCE_COMPRESSION, NULL, "blob", CURE_COMPRESSOR},
		{DIFFERENCE_TIME, "etc/motd", "mtime", CURE_FILE_TIME},
		{DIFFERENCE_TIME, NULL, "config.created", CURE_IMAGE_DATE},
		{DIFFERENCE_ENCODING, "etc/.wh.x", "whiteouts", CURE_WHITEOUT_FORM},
		{DIFFERENCE_ENCODING, NULL, "tar headers", CURE_TAR_HEADERS},
		{DIFFERENCE_CONTENT, "srv/app/.git/index", "content", CURE_GIT_STATE},
		{DIFFERENCE_ENTRY, ".git/objects/pack/pack-1.idx", "entry", CURE_GIT_PACK},
		{DIFFERENCE_CONTENT, "var/log/apt/history.log", "content", CURE_DPKG_LOG},
		{DIFFERENCE_CONTENT, "srv/var/log/x", "content", CURE_NONE},
		{DIFFERENCE_LINK, "etc/alternatives/editor", "link", CURE_ALTERNATIVES},
		{DIFFERENCE_OWNER, "x", "uid", CURE_OWNER},
		{DIFFERENCE_CONFIG, NULL, "config.Env", CURE_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (cure_for(places[i].class, places[i].path, places[i].field) != places[i].rule)
			fail_msg("place %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_why_texts_differ),
		cmocka_unit_test(every_rule_has_its_words),
		cmocka_unit_test(places_tell_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
