/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include "base/strv.h"
#include "lock/lock.h"
#include "scratch.h"

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* Short forms for the tables: a lock of sources, a source of artifacts, an artifact. */
#define LOCK(sources) "{\"varve-lock\":1,\"sources\":[" sources "]}\n"
#define SOURCE(name, spec, facts, artifacts)                                                       \
	"\n{\"name\":\"" name "\",\"spec\":" spec ",\"facts\":" facts ",\"artifacts\":[" artifacts \
	"]}"
#define DEB(name, version, sha)                                                                    \
	"\n{\"name\":\"" name "\",\"version\":\"" version                                          \
	"\",\"architecture\":\"amd64\",\"size\":1,"                                                \
	"\"sha256\":\"" sha "\",\"from\":\"debian:pool/" name "_" version ".deb\"}"

static struct lock parse(const char *text)
{
	struct lock lock = LOCK_INIT;
	struct varve_error err = {0};

	if (lock_parse(text, strlen(text), "x.lock.json", &lock, &err) < 0)
		fail_msg("%s", err.text);
	return lock;
}

/* --- identity ----------------------------------------------------------------------------------
 */

static const char *const canonical[] = {
	LOCK(""),
	LOCK(SOURCE("a", "{}", "{}", "")),
	LOCK(SOURCE("system", "{\"kind\":\"debian\",\"packages\":[\"bash\"]}", "{\"date\":1}",
		    DEB("zsh", "5.9", SHA_A) "," DEB("bash", "5.2-1", SHA_B))),
	/* two specs under one name, in the order of their digests */
	LOCK(SOURCE("a", "{\"n\":2}", "{}", "") "," SOURCE("a", "{}", "{}", "") "," SOURCE(
		"b", "{}", "{}", DEB("x", "1", SHA_A))),
	/* everything optional: absent, then present */
	LOCK(SOURCE("a", "{}", "{}",
		    "\n{\"name\":\"f.tar\",\"size\":0,\"sha256\":\"" SHA_A
		    "\",\"from\":\"https://example.org/f.tar?x=1\"}")),
	LOCK(SOURCE(
		"a", "{}", "{}",
		"\n{\"name\":\"f\",\"size\":9007199254740993,\"sha256\":\"" SHA_A
		"\",\"from\":\"m:a/b\",\"date\":1700000000,\"essential\":true,\"zeta\":[1,null]}")),
	LOCK(SOURCE("a", "{\"t\":\"\\u0001 \\\"q\\\" \303\244\"}", "{}", "")),
};

static void format_undoes_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(canonical); i++) {
		CLEANUP(lock_release) struct lock lock = parse(canonical[i]);
		CLEANUP(buf_release) struct buf out = BUF_INIT;

		lock_format(&lock, &out);
		assert_string_equal(buf_text(&out), canonical[i]);
	}
}

static void what_is_not_in_order_is_put_in_order(void **state)
{
	static const char loose[] = "{ \"sources\": ["
				    "{\"name\":\"b\",\"artifacts\":[],\"facts\":{},\"spec\":{}},\n"
				    "{\"name\":\"a\",\"artifacts\":[],\"facts\":{},\"spec\":{}}],\n"
				    "\"varve-lock\": 1}";
	CLEANUP(lock_release) struct lock lock = parse(loose);
	CLEANUP(buf_release) struct buf out = BUF_INIT;

	(void)state;
	lock_format(&lock, &out);
	assert_string_equal(buf_text(&out),
			    LOCK(SOURCE("a", "{}", "{}", "") "," SOURCE("b", "{}", "{}", "")));
}

static void all_members_are_read(void **state)
{
	CLEANUP(lock_release) struct lock lock = parse(canonical[5]);
	const struct lock_artifact *a = &lock.sources[0].artifacts[0];

	(void)state;
	assert_int_equal(a->size, 9007199254740993);
	assert_int_equal(a->date, 1700000000);
	assert_string_equal(a->version, "");
	assert_string_equal(a->architecture, "");
	assert_string_equal(a->from, "m:a/b");
	assert_int_equal(a->sha256.bytes[31], 0xaa);
	assert_true(json_is_true(json_object_get(a->extra, "essential")));
	assert_int_equal(json_object_size(a->extra), 2);
}

/* --- errors ------------------------------------------------------------------------------------
 */

#define ARTIFACT(members) LOCK(SOURCE("a", "{}", "{}", DEB("x", "1", SHA_A) ",\n{" members "}"))
#define NAME "\"name\":\"y\","
#define REST "\"size\":1,\"sha256\":\"" SHA_A "\",\"from\":\"m:y\""

static const struct {
	const char *text, *place, *words;
} errors[] = {
	{"", "x:1:1", ""},
	{"{\"varve-lock\":1,\n\"sources\":[}\n", "x:2:", "unexpected token"},
	{"{\"varve-lock\":1,\"varve-lock\":1,\"sources\":[]}", "x:1:", "duplicate"},
	{"{\n<<<<<<< ours\n\"varve-lock\":1,", "x:2:", "a merge left its marks"},
	{"[]", "x:1:1: ", "not an object"},
	{"{\"sources\":[]}", "x:1:1: ", "\"varve-lock\" is missing"},
	{"{\"varve-lock\":2,\"sources\":[]}", "x:1:1: ", "version 2"},
	{"{\"varve-lock\":1}", "x:1:1: ", "\"sources\" is missing"},
	{"{\"varve-lock\":1,\"sources\":[],\"source\":1}", "x:1:1: ", "did you mean \"sources\""},
	{"{\"varve-lock\":1,\"sources\":[1.5]}", "x:1:1: ", "no integer"},
	{LOCK("\n1"), "x:2:1: ", "not an object"},
	{LOCK(SOURCE("a", "{}", "{}", "") ",\n{\"name\":\"b\"}"), "x:3:1: ", "\"spec\" is missing"},
	{LOCK(SOURCE("a", "[]", "{}", "")), "x:2:1: ", "\"spec\" is not an object"},
	{LOCK(SOURCE("a/b", "{}", "{}", "")), "x:2:1: ", "no name of a file"},
	{LOCK(SOURCE("oci:a\\nb", "{}", "{}", "")), "x:2:1: ", "control character"},
	{LOCK(SOURCE("a", "{}", "{},\"fact\":1", "")), "x:2:1: ", "did you mean \"facts\""},
	{LOCK(SOURCE("a", "{}", "{}", "") "," SOURCE("a", "{}", "{}", "")),
	 "x:3:1: ", "there twice"},
	{LOCK(SOURCE("a", "{}", "{}", "\n\"x\"")), "x:3:1: ", "not an object"},
	{ARTIFACT(REST), "x:4:1: ", "\"name\" is missing"},
	{ARTIFACT("\"name\":\"..\"," REST), "x:4:1: ", "no name of a file"},
	{ARTIFACT("\"name\":\"a\\nb\"," REST), "x:4:1: ", "control character"},
	{ARTIFACT(NAME "\"version\":1," REST), "x:4:1: ", "\"version\" is not a string"},
	{ARTIFACT(NAME "\"date\":-1," REST), "x:4:1: ", "\"date\""},
	{ARTIFACT(NAME "\"size\":-1"), "x:4:1: ", "\"size\""},
	{ARTIFACT(NAME "\"size\":1,\"sha256\":\"AA\""), "x:4:1: ", "64 lower-case"},
	{ARTIFACT(NAME "\"size\":1,\"sha256\":\"" SHA_A "\""), "x:4:1: ", "\"from\" is missing"},
	{ARTIFACT(NAME "\"size\":1,\"sha256\":\"" SHA_A "\",\"from\":\"pool/x\""),
	 "x:4:1: ", "neither"},
	{ARTIFACT(NAME "\"size\":1,\"sha256\":\"" SHA_A "\",\"from\":\"m:../x\""),
	 "x:4:1: ", "leaves"},
	{ARTIFACT(NAME "\"size\":1,\"sha256\":\"" SHA_A "\",\"from\":\"m:/x\""),
	 "x:4:1: ", "leaves"},
	{LOCK(SOURCE("a", "{\"name\":\"sources [{\"}", "{}",
		     DEB("x", "1", SHA_A) "," DEB("y", "1", SHA_A) "," DEB("x", "1", SHA_B))),
	 "x:5:1: ", "\"x\" is there twice"},
};

static void errors_have_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct lock lock = LOCK_INIT;
		struct varve_error err = {0};
		int r = lock_parse(errors[i].text, strlen(errors[i].text), "x", &lock, &err);

		assert_int_equal(r, -VARVE_E_LOCK);
		assert_int_equal(err.code, -VARVE_E_LOCK);
		if (!str_starts(err.text, errors[i].place) || !strstr(err.text, errors[i].words))
			fail_msg("case %zu: %s", i, err.text);
		assert_int_equal(lock.count, 0);
	}
}

/* --- putting and finding -----------------------------------------------------------------------
 */

static struct lock_source make_source(const char *name, int n, const char *artifact)
{
	struct lock_source source = {
		.name = xstrdup(name), .spec = json_object(), .facts = json_object()};
	struct lock_artifact *a = lock_source_add(&source);

	json_set(source.spec, "n", json_integer(n));
	json_digest(source.spec, &source.digest);
	a->name = xstrdup(artifact);
	a->version = xstrdup("1");
	a->architecture = xstrdup("");
	a->from = xstrdup("m:x");
	return source;
}

static void sources_go_to_their_places(void **state)
{
	static const char *const names[] = {"m", "c", "z", "a", "m", "c"};
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	CLEANUP(buf_release) struct buf once = BUF_INIT, twice = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct lock_source source = make_source(names[i], (int)i, "x");
		struct varve_digest digest = source.digest;

		assert_null(lock_find(&lock, names[i], &digest));
		lock_put(&lock, &source);
		assert_null(source.name);
		assert_non_null(lock_find(&lock, names[i], &digest));
	}
	assert_int_equal(lock.count, ARRAY_SIZE(names));
	lock_format(&lock, &once);
	for (size_t i = ARRAY_SIZE(names); i-- > 0;) {
		struct lock_source source = make_source(names[i], (int)i, "x");

		lock_put(&lock, &source);
	}
	lock_format(&lock, &twice);
	assert_string_equal(buf_text(&once), buf_text(&twice));
}

static void an_equal_source_is_replaced(void **state)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct lock_source first = make_source("a", 1, "x"), second = make_source("a", 1, "y");

	(void)state;
	lock_put(&lock, &first);
	lock_put(&lock, &second);
	assert_int_equal(lock.count, 1);
	assert_string_equal(lock.sources[0].artifacts[0].name, "y");
}

/* --- the file ----------------------------------------------------------------------------------
 */

static void the_file_is_written_only_when_it_differs(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(free_ptr) char *path = xasprintf("%s/x.lock.json", s->path), *text = NULL;
	CLEANUP(lock_release) struct lock lock = parse(canonical[2]);
	CLEANUP(lock_release) struct lock again = LOCK_INIT;
	struct stat before, after;

	assert_int_equal(lock_read(path, &again, NULL), 0);
	assert_int_equal(again.count, 0);
	assert_int_equal(lock_write(path, &lock, NULL), 0);
	text = scratch_read(s, "x.lock.json");
	assert_string_equal(text, canonical[2]);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(lock_write(path, &lock, NULL), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(lock_read(path, &again, NULL), 0);
	assert_int_equal(again.count, 1);
}

static void a_symlink_stays_one(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(free_ptr) char *path = xasprintf("%s/link", s->path), *text = NULL;
	CLEANUP(lock_release) struct lock lock = parse(canonical[2]);

	scratch_write(s, "real", "{}");
	assert_int_equal(symlinkat("real", s->fd, "link"), 0);
	assert_int_equal(lock_write(path, &lock, NULL), 0);
	text = scratch_read(s, "real");
	assert_string_equal(text, canonical[2]);
}

static void errors_name_the_file(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(free_ptr) char *path = xasprintf("%s/x.lock.json", s->path);
	CLEANUP(free_ptr) char *nowhere = xasprintf("%s/no/x.lock.json", s->path);
	struct lock lock = LOCK_INIT;
	struct varve_error err = {0};

	scratch_write(s, "x.lock.json", "{");
	assert_int_equal(lock_read(path, &lock, &err), -VARVE_E_LOCK);
	assert_true(str_starts(err.text, path));
	assert_int_equal(lock_write(nowhere, &lock, &err), -ENOENT);
	assert_non_null(strstr(err.text, nowhere));
}

/* --- differences -------------------------------------------------------------------------------
 */

#define SYSTEM(artifacts) LOCK(SOURCE("system", "{\"kind\":\"debian\"}", "{\"date\":1}", artifacts))

#define GIT(ref, sha) "{\"commit\":\"" sha "\",\"date\":1,\"ref\":\"" ref "\",\"tree\":\"" sha "\"}"
#define PY(artifacts) LOCK(SOURCE("py", "{\"kind\":\"python\"}", "{}", artifacts))
#define WHEEL(name, version, size, sha)                                                            \
	"\n{\"name\":\"" name "\",\"version\":\"" version "\",\"size\":" size ",\"sha256\":\"" sha \
	"\",\"from\":\"pypi:" name "-" version ".whl\"}"

static const struct {
	const char *before, *after, *lines;
} diffs[] = {
	{SYSTEM(DEB("bash", "1", SHA_A)), SYSTEM(DEB("bash", "1", SHA_A)), ""},
	{SYSTEM(DEB("bash", "5.2-1", SHA_A) "," DEB("jq", "1.6", SHA_A)),
	 SYSTEM(DEB("curl", "7.88", SHA_A) "," DEB("bash", "5.2-2", SHA_B)),
	 "system: bash 5.2-1 -> 5.2-2|system: + curl 7.88|system: - jq 1.6|"
	 "system: +1 package, -1, 1 changed; 2 B as before"},
	{SYSTEM(DEB("bash", "1", SHA_A)), SYSTEM(DEB("bash", "1", SHA_B)),
	 "system: bash 1 has other bytes: sha256 aaaaaaaaaaaa -> bbbbbbbbbbbb|"
	 "system: 1 package changed; 1 B as before"},
	{SYSTEM(DEB("a", "1", SHA_A) "," DEB("b", "1", SHA_A)),
	 SYSTEM(DEB("b", "1", SHA_A) "," DEB("a", "1", SHA_A)),
	 "system: the order of the artifacts changed"},
	{LOCK(""), SYSTEM(DEB("bash", "1", SHA_A)), "system: new, 1 package, 1 B"},
	{SYSTEM(""), LOCK(""), "system: gone, with 0 packages"},
	{LOCK(SOURCE("s", "{\"snapshot\":\"1\"}", "{\"date\":1}", DEB("a", "1", SHA_A))),
	 LOCK(SOURCE("s", "{\"snapshot\":\"2\"}", "{\"date\":2}", DEB("a", "2", SHA_A))),
	 "s: snapshot 1 -> 2|s: date 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z|s: a 1 -> 2|"
	 "s: 1 file changed; 1 B as before"},
	{LOCK(SOURCE("app", "{}", "{\"commit\":\"abc\"}", "")),
	 LOCK(SOURCE("app", "{}", "{\"commit\":\"def\",\"tag\":[1]}", "")),
	 "app: abc -> def|app: tag none -> [1]"},
	{LOCK(SOURCE("app", "{}", GIT("refs/heads/main", SHA_A), "")),
	 LOCK(SOURCE("app", "{}", GIT("refs/heads/main", SHA_B), "")),
	 "app: main aaaaaaaaaaaa -> bbbbbbbbbbbb"},
	{LOCK(SOURCE("app", "{}", GIT("refs/heads/main", SHA_A), "")),
	 LOCK(SOURCE("app", "{}", GIT("refs/tags/v1", SHA_B), "")),
	 "app: main aaaaaaaaaaaa -> v1 bbbbbbbbbbbb"},
	{LOCK(SOURCE("app", "{}", GIT("refs/heads/main", SHA_A), "")),
	 LOCK(SOURCE("app", "{}", GIT("refs/heads/dev", SHA_A), "")),
	 "app: ref refs/heads/main -> refs/heads/dev"},
	/* wheels: what came and how much more there is to fetch */
	{PY(WHEEL("torch", "2.7.0", "800000000", SHA_A)),
	 PY(WHEEL("torch", "2.7.1", "821000000", SHA_B) "," WHEEL("nccl", "2.26", "201000000",
								  SHA_A)),
	 "py: + nccl 2.26|py: torch 2.7.0 -> 2.7.1|"
	 "py: +1 wheel, 1 changed; 800.0 MB -> 1.0 GB"},
	{PY(WHEEL("a", "1", "5", SHA_A) "," WHEEL("b", "1", "7", SHA_B)), PY(""),
	 "py: - a 1|py: - b 1|py: -2 wheels; 12 B -> 0 B"},
	/* what is too long to show */
	{LOCK(SOURCE("s", "{}", "{\"config\":\"" SHA_A SHA_A "\"}", "")),
	 LOCK(SOURCE("s", "{}", "{\"config\":\"" SHA_A SHA_B "\"}", "")), "s: config changed"},
	/* one more value of an option: the other entries stay out of it */
	{LOCK(SOURCE("t", "{\"arch\":\"a\"}", "{}", DEB("x", "1", SHA_A))),
	 LOCK(SOURCE("t", "{\"arch\":\"a\"}", "{}", DEB("x", "1", SHA_A)) "," SOURCE(
		 "t", "{\"arch\":\"b\"}", "{}", DEB("x", "2", SHA_A))),
	 "t: new, 1 file, 1 B"},
	{SYSTEM("\n{\"name\":\"f\",\"size\":1,\"sha256\":\"" SHA_A "\",\"from\":\"m:a\"}"),
	 SYSTEM("\n{\"name\":\"f\",\"size\":1,\"sha256\":\"" SHA_A "\",\"from\":\"m:b\"}"),
	 "system: f comes from m:a -> m:b"},
};

static void differences_are_said_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(diffs); i++) {
		CLEANUP(lock_release) struct lock before = parse(diffs[i].before);
		CLEANUP(lock_release) struct lock after = parse(diffs[i].after);
		CLEANUP(strv_release) struct strv lines = STRV_INIT;
		CLEANUP(free_ptr) char *text = NULL;

		lock_diff(&before, &after, &lines);
		text = strv_join(&lines, "|");
		assert_string_equal(text, diffs[i].lines);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format_undoes_parse),
		cmocka_unit_test(what_is_not_in_order_is_put_in_order),
		cmocka_unit_test(all_members_are_read),
		cmocka_unit_test(errors_have_places),
		cmocka_unit_test(sources_go_to_their_places),
		cmocka_unit_test(an_equal_source_is_replaced),
		SCRATCH_TEST(the_file_is_written_only_when_it_differs),
		SCRATCH_TEST(a_symlink_stays_one),
		SCRATCH_TEST(errors_name_the_file),
		cmocka_unit_test(differences_are_said_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
