/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "plan/plan.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static json_t *listing(void *cookie, const struct varve_digest *digest)
{
	(void)cookie;
	if (digest->bytes[0] == 0xaa)
		return json_pack("{s:s,s:s,s:s,s:s}", "src/main.c", "100644:01", "gone",
				 "100644:02", "run.sh", "100644:03", "same", "100644:04");
	if (digest->bytes[0] == 0xbb)
		return json_pack("{s:s,s:s,s:s,s:s}", "src/main.c", "100644:11", "new", "100644:05",
				 "run.sh", "100755:03", "same", "100644:04");
	return NULL;
}

static const struct {
	const char *before, *after, *want; /* lines of want end with a newline */
} rows[] = {
	{"{\"epoch\":1}", "{\"epoch\":1}", ""},
	{"{\"environment\":{\"CFLAGS\":\"-O2\"}}", "{\"environment\":{\"CFLAGS\":\"-O3\"}}",
	 "environment.CFLAGS: \"-O2\" -> \"-O3\"\n"},
	{"{\"environment\":{\"A\":\"1\"}}", "{\"environment\":{\"B\":\"2\"}}",
	 "environment.A: \"1\" -> (not there)\nenvironment.B: (not there) -> \"2\"\n"},
	/* The epoch says it already. */
	{"{\"epoch\":1,\"environment\":{\"SOURCE_DATE_EPOCH\":\"1\"}}",
	 "{\"epoch\":2,\"environment\":{\"SOURCE_DATE_EPOCH\":\"2\"}}", "epoch: 1 -> 2\n"},
	{"{\"user\":\"0:0\"}", "{\"user\":1}", "user: \"0:0\" -> 1\n"},
	{"{\"network\":\"none\",\"a\":1}", "{\"network\":\"host\",\"a\":2}",
	 "a: 1 -> 2\nnetwork: \"none\" -> \"host\"\n"},
	/* Lists: by place where they are equally long, else what came and went. */
	{"{\"chain\":[\"x\",\"y\"]}", "{\"chain\":[\"x\",\"z\"]}", "chain[1]: \"y\" -> \"z\"\n"},
	{"{\"scrub\":[\"x\",\"y\"]}", "{\"scrub\":[\"y\"]}", "scrub: - \"x\"\n"},
	{"{\"scrub\":[\"x\"]}", "{\"scrub\":[\"x\",\"y\"]}", "scrub: + \"y\"\n"},
	{"{\"l\":[\"x\"]}", "{\"l\":[\"x\",\"x\"]}", "l: order changed\n"},
	/* Scripts: the first line that differs. */
	{"{\"command\":[\"sh\",\"a\\nb\\nc\\n\"]}", "{\"command\":[\"sh\",\"a\\nB\\nc\\n\"]}",
	 "command[1] line 2: \"b\" -> \"B\"\n"},
	{"{\"command\":[\"a\\nb\"]}", "{\"command\":[\"a\\nb\\nc\"]}",
	 "command[0] line 3: (not there) -> \"c\"\n"},
	/* Artifacts: by name. */
	{"{\"content\":{\"digest\":\"" A "\",\"artifacts\":["
	 "{\"name\":\"bash\",\"version\":\"5.1\",\"sha256\":\"1\"},"
	 "{\"name\":\"jq\",\"version\":\"1.6\",\"sha256\":\"2\"},"
	 "{\"name\":\"sed\",\"version\":\"4\",\"sha256\":\"3\"}]}}",
	 "{\"content\":{\"digest\":\"" B "\",\"artifacts\":["
	 "{\"name\":\"bash\",\"version\":\"5.2\",\"sha256\":\"4\"},"
	 "{\"name\":\"curl\",\"version\":\"8\",\"sha256\":\"5\"},"
	 "{\"name\":\"sed\",\"version\":\"4\",\"sha256\":\"6\"}]}}",
	 "content.artifacts: bash 5.1 -> 5.2\n"
	 "content.artifacts: - jq 1.6\n"
	 "content.artifacts: sed 4 has other bytes\n"
	 "content.artifacts: + curl 8\n"},
	{"{\"a\":[{\"name\":\"x\"},{\"name\":\"y\"}]}",
	 "{\"a\":[{\"name\":\"y\"},{\"name\":\"x\"}]}", "a: order changed\n"},
	{"{\"a\":[{\"name\":\"x\",\"architecture\":\"amd64\",\"version\":\"1\"},"
	 "{\"name\":\"x\",\"architecture\":\"i386\",\"version\":\"1\"}]}",
	 "{\"a\":[{\"name\":\"x\",\"architecture\":\"amd64\",\"version\":\"1\"},"
	 "{\"name\":\"x\",\"architecture\":\"i386\",\"version\":\"2\"}]}",
	 "a: x 1 -> 2\n"},
	{"{\"a\":[{\"name\":\"x\",\"version\":\"1\",\"essential\":true}]}",
	 "{\"a\":[{\"name\":\"x\",\"version\":\"1\"}]}",
	 "a: {\"essential\":true,\"name\":\"x\",\"version\":\"1\"} -> "
	 "{\"name\":\"x\",\"version\":\"1\"}\n"},
	/* Local directories: file by file where both listings are at hand. */
	{"{\"mounts\":{\"/src\":{\"digest\":\"" A "\",\"kind\":\"local\"}}}",
	 "{\"mounts\":{\"/src\":{\"digest\":\"" B "\",\"kind\":\"local\"}}}",
	 "mounts./src: gone removed\n"
	 "mounts./src: new added\n"
	 "mounts./src: run.sh changed its mode\n"
	 "mounts./src: src/main.c changed\n"},
	{"{\"content\":{\"digest\":\"" A "\"}}", "{\"content\":{\"digest\":\"" C "\"}}",
	 "content.digest: \"" A "\" -> \"" C "\"\n"},
};

static char *explained(const char *before, const char *after, plan_listing get)
{
	CLEANUP(json_decrefp) json_t *old = before ? json_loads(before, 0, NULL) : NULL;
	CLEANUP(json_decrefp) json_t *new = json_loads(after, 0, NULL);
	CLEANUP(strv_release) struct strv lines = STRV_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	size_t i;

	assert_non_null(new);
	plan_explain(old, new, get, NULL, &lines);
	for (i = 0; i < lines.count; i++)
		buf_addf(&text, "%s\n", lines.items[i]);
	return buf_steal(&text);
}

static void test_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_ptr) char *got = explained(rows[i].before, rows[i].after, listing);

		assert_string_equal(got, rows[i].want);
	}
}

static void test_without_a_record(void **state)
{
	CLEANUP(free_ptr) char *got = explained(NULL, "{}", listing);

	(void)state;
	assert_string_equal(got, "there is no earlier record of this step\n");
}

static void test_without_listings(void **state)
{
	CLEANUP(free_ptr)
	char *got = explained("{\"digest\":\"" A "\"}", "{\"digest\":\"" B "\"}", NULL);

	(void)state;
	assert_string_equal(got, "digest: \"" A "\" -> \"" B "\"\n");
}

static void test_long_values_are_cut(void **state)
{
	CLEANUP(free_ptr) char *after = NULL;
	CLEANUP(free_ptr) char *got = NULL;

	(void)state;
	after = xasprintf("{\"a\":\"%0500d\"}", 0);
	got = explained("{\"a\":\"1\"}", after, NULL);
	assert_true(strlen(got) < 300);
	assert_true(str_ends(got, "000...\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_without_a_record),
		cmocka_unit_test(test_without_listings),
		cmocka_unit_test(test_long_values_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
