/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include "local_fixture.h"

enum { STAT_HEADER = 48, STAT_RECORD = 72, STAT_DIGEST = 40 };

/* The canonical listing; caller frees. */
static char *listing_of(const struct fixture *f, const char *path, const char *ignore)
{
	CLEANUP(json_decrefp) json_t *spec = spec_of(path, ignore);
	CLEANUP(json_decrefp) json_t *listing = NULL;
	struct source_context context = context_of(f);
	struct varve_digest digest, again;
	struct varve_error err = {0};
	struct buf text = BUF_INIT;

	if (source_local_digest(&context, spec, &digest, &listing, &err) < 0)
		fail_msg("%s", err.text);
	json_digest(listing, &again);
	assert_true(varve_digest_equal(&digest, &again));
	json_canonical(listing, &text);
	return buf_steal(&text);
}

static void expect_listing(const struct fixture *f, const char *path, const char *ignore,
			   const char *want)
{
	CLEANUP(free_ptr) char *listing = listing_of(f, path, ignore);

	assert_string_equal(listing, want);
}

static void expect_failure(const struct fixture *f, const char *path, int code, const char *text)
{
	struct varve_digest digest;
	struct varve_error err = {0};

	assert_int_equal(try_digest(f, path, "", &digest, &err), code);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" does not name %s", err.text, text);
}

/* The name of the only fact that starts with prefix, below facts; "" where there is none. */
static char *fact_path(const struct fixture *f, const char *prefix)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/facts", f->path);
	DIR *stream = opendir(path);
	char *found = xstrdup("");

	for (struct dirent *e = stream ? readdir(stream) : NULL; e; e = readdir(stream)) {
		if (!str_starts(e->d_name, prefix))
			continue;
		assert_string_equal(found, "");
		free(found);
		found = xasprintf("store/facts/%s", e->d_name);
	}
	if (stream)
		(void)closedir(stream);
	return found;
}

/* --- listings ------------------------------------------------------------------------------------
 */

static void a_listing_holds_types_modes_and_contents(void **state)
{
	const struct fixture *f = *state;

	make_dir(f, "src/empty/inner");
	make_dir(f, "src/d");
	make_dir(f, "src/.git/objects");
	make_dir(f, "src/d/.git");
	write_file(f, "src/d/a", "a");
	write_file(f, "src/d-b", "b");
	write_file(f, "src/run", "a");
	write_file(f, "src/group", "");
	make_link(f, "../nowhere", "src/link");
	make_link(f, "d", "src/dirlink");
	set_mode(f, "src/run", 0700);
	set_mode(f, "src/group", 0611);
	set_mode(f, "src/d/a", 0400);
	expect_listing(f, "src", "",
		       "{\"d-b\":\"100644:" B "\",\"d/a\":\"100644:" A "\","
		       "\"dirlink\":\"120000:d\",\"empty/inner\":\"040000:\","
		       "\"group\":\"100644:" NONE "\",\"link\":\"120000:../nowhere\","
		       "\"run\":\"100755:" A "\"}");
	expect_listing(f, "src/empty/inner", "", "{}");
	expect_listing(f, "./src/d/../empty", "", "{\"inner\":\"040000:\"}");
}

static void the_rules_leave_out(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *before = NULL;

	make_dir(f, "src/obj");
	make_dir(f, "src/out/deep");
	write_file(f, "src/a", "a");
	write_file(f, "src/obj/x.o", "x");
	write_file(f, "src/out/deep/b", "b");
	write_file(f, "src/.varveignore", "*.o\nout/\n");
	/* A directory with nothing but what is left out is as an empty one: such files change
	 * nothing. */
	expect_listing(f, "src", "", "{\"a\":\"100644:" A "\",\"obj\":\"040000:\"}");
	assert_int_equal(unlinkat(f->scratch->fd, "src/obj/x.o", 0), 0);
	expect_listing(f, "src", "", "{\"a\":\"100644:" A "\",\"obj\":\"040000:\"}");

	write_file(f, "src/obj/rules", "a\n.varveignore\n");
	expect_listing(f, "src", "./obj/rules",
		       "{\"obj\":\"040000:\",\"out/deep/b\":\"100644:" B "\"}");
	/* At other places the name means nothing. */
	write_file(f, "src/obj/.varveignore", "");
	before = listing_of(f, "src", "");
	assert_non_null(strstr(before, "obj/.varveignore"));
}

static void a_named_file_of_rules_must_be_there(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest;
	struct varve_error err = {0};

	make_dir(f, "src");
	assert_int_equal(try_digest(f, "src", "rules", &digest, &err), -ENOENT);
	assert_non_null(strstr(err.text, "rules"));
}

static void a_file_is_listed_under_its_own_name(void **state)
{
	const struct fixture *f = *state;

	make_dir(f, "d");
	write_file(f, "d/a", "a");
	write_file(f, "d/other", "b");
	write_file(f, "d/.varveignore", "a");
	make_link(f, "d/a", "link");
	expect_listing(f, "d/a", "", "{\"a\":\"100644:" A "\"}");
	expect_listing(f, "link", "", "{\"link\":\"100644:" A "\"}");
}

static void what_no_image_can_hold_is_named(void **state)
{
	const struct fixture *f = *state;

	expect_failure(f, "absent", -ENOENT, "absent");
	make_dir(f, "src/d");
	assert_int_equal(mkfifoat(f->scratch->fd, "src/d/pipe", 0600), 0);
	expect_failure(f, "src", -VARVE_E_FORMAT, "d/pipe is a fifo");
	expect_failure(f, "src/d/pipe", -VARVE_E_FORMAT, "pipe is a fifo");
	write_file(f, "src/.varveignore", "pipe");
	expect_listing(f, "src", "", "{\"d\":\"040000:\"}");
	assert_int_equal(mknodat(f->scratch->fd, "src/d/sock", S_IFSOCK | 0600, 0), 0);
	expect_failure(f, "src", -VARVE_E_FORMAT, "d/sock is a socket");
	assert_int_equal(unlinkat(f->scratch->fd, "src/d/sock", 0), 0);
	make_link(f, "bad\xff", "src/d/link");
	expect_failure(f, "src", -VARVE_E_FORMAT, "d/link");
	assert_int_equal(unlinkat(f->scratch->fd, "src/d/link", 0), 0);
	write_file(f, "src/d/bad\xff", "");
	expect_failure(f, "src", -VARVE_E_FORMAT, "not UTF-8");
}

static void deep_trees_have_a_limit(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(buf_release) struct buf path = BUF_INIT;
	CLEANUP(free_ptr) char *listing = NULL;

	buf_addstr(&path, "src");
	for (int i = 0; i < 512; i++)
		buf_addstr(&path, "/d");
	make_dir(f, path.data);
	listing = listing_of(f, "src", "");
	assert_non_null(strstr(listing, "/d\":\"040000:\""));
	buf_addstr(&path, "/d");
	make_dir(f, path.data);
	expect_failure(f, "src", -VARVE_E_LIMIT, "512");
}

/* --- the cache -----------------------------------------------------------------------------------
 */

static void an_edit_within_the_clock_is_seen(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *fact = NULL;

	make_dir(f, "src");
	write_file(f, "src/x", "a");
	for (int i = 0; i < 200; i++) {
		const char *text = i % 2 ? "a" : "b";
		struct stat st = stat_of(f, "src/x");

		write_file(f, "src/x", text);
		set_times(f, "src/x", &st);
		expect_listing(f, "src", "",
			       i % 2 ? "{\"x\":\"100644:" A "\"}" : "{\"x\":\"100644:" B "\"}");
	}
	fact = fact_path(f, "stat-");
	assert_string_equal(fact, "");
}

/* A time in the future says nothing of the next edit. */
static void a_file_from_the_future_is_not_remembered(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *fact = NULL;

	make_dir(f, "src");
	write_file(f, "src/x", "a");
	fixture_set_age(f, "src/x", -100000);
	wait_until_old();
	(void)digest_of(f, "src");
	fact = fact_path(f, "stat-");
	assert_string_equal(fact, "");
}

static void rewrite_fact(const struct fixture *f, const char *path, struct buf *text, bool whole)
{
	CLEANUP(fd_close)
	int fd = openat(f->scratch->fd, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	struct varve_digest digest;

	digest_bytes(text->data + VARVE_DIGEST_SIZE, text->len - VARVE_DIGEST_SIZE, &digest);
	if (whole)
		memcpy(text->data, digest.bytes, VARVE_DIGEST_SIZE);
	assert_int_equal(fd_write_all(fd, text->data, text->len), 0);
}

static void old_files_are_not_read_again(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *fact = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	make_dir(f, "src");
	write_file(f, "src/x", "a");
	assert_int_equal(linkat(f->scratch->fd, "src/x", f->scratch->fd, "src/y", 0), 0);
	wait_until_old();
	(void)digest_of(f, "src");
	fact = fact_path(f, "stat-");
	assert_int_equal(fd_read_file(f->scratch->fd, fact, 1 << 20, &text, NULL), 0);
	assert_int_equal(text.len, STAT_HEADER + STAT_RECORD);

	/* The cache is believed, as far as it is whole and the file is the one it speaks of. */
	memset(text.data + STAT_HEADER + STAT_DIGEST, 0, VARVE_DIGEST_SIZE);
	rewrite_fact(f, fact, &text, true);
	expect_listing(f, "src", "",
		       "{\"x\":\"100644:"
		       "0000000000000000000000000000000000000000000000000000000000000000\","
		       "\"y\":\"100644:"
		       "0000000000000000000000000000000000000000000000000000000000000000\"}");
	text.data[0] ^= 1;
	rewrite_fact(f, fact, &text, false);
	expect_listing(f, "src", "", "{\"x\":\"100644:" A "\",\"y\":\"100644:" A "\"}");
}

static void a_cache_cut_short_or_gone_is_no_cache(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *fact = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	make_dir(f, "src");
	write_file(f, "src/x", "a");
	wait_until_old();
	(void)digest_of(f, "src");
	fact = fact_path(f, "stat-");
	assert_int_equal(fd_read_file(f->scratch->fd, fact, 1 << 20, &text, NULL), 0);
	/* What is left of it would lie, if it were believed. */
	memset(text.data + STAT_HEADER + STAT_DIGEST, 0, VARVE_DIGEST_SIZE);
	for (size_t len = 0; len <= text.len; len++) {
		struct buf cut = {.data = text.data, .len = len};

		scratch_write(f->scratch, fact, "");
		if (len >= VARVE_DIGEST_SIZE && len < text.len)
			rewrite_fact(f, fact, &cut, true);
		else
			assert_int_equal(unlinkat(f->scratch->fd, fact, 0), 0);
		expect_listing(f, "src", "", "{\"x\":\"100644:" A "\"}");
	}
}

static void touched_files_are_read_again(void **state)
{
	const struct fixture *f = *state;
	struct stat st;

	make_dir(f, "src");
	write_file(f, "src/x", "a");
	wait_until_old();
	(void)digest_of(f, "src");
	st = stat_of(f, "src/x");
	/* Same size, same mtime: the ctime tells. */
	write_file(f, "src/x", "b");
	set_times(f, "src/x", &st);
	expect_listing(f, "src", "", "{\"x\":\"100644:" B "\"}");
	/* The mode is not remembered. */
	set_mode(f, "src/x", 0755);
	expect_listing(f, "src", "", "{\"x\":\"100755:" B "\"}");
}

static void expect_untouched(const struct fixture *f, const char *path, const struct stat *before)
{
	struct stat after = stat_of(f, path);

	assert_int_equal(before->st_ino, after.st_ino);
	assert_memory_equal(&before->st_mtim, &after.st_mtim, sizeof(after.st_mtim));
}

static void nothing_is_written_where_nothing_changed(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *fact = NULL;
	struct stat facts, stat, listing;
	struct varve_digest digest;
	char kept[128];

	make_dir(f, "src");
	write_file(f, "src/x", "a");
	write_file(f, "src/y", "b");
	wait_until_old();
	digest = digest_of(f, "src");
	fact = fact_path(f, "stat-");
	keep_listing_path(&digest, kept);
	facts = stat_of(f, "store/facts");
	stat = stat_of(f, fact);
	listing = stat_of(f, kept);
	(void)digest_of(f, "src");
	expect_untouched(f, "store/facts", &facts);
	expect_untouched(f, fact, &stat);
	expect_untouched(f, kept, &listing);

	/* What went away is forgotten. */
	assert_int_equal(unlinkat(f->scratch->fd, "src/y", 0), 0);
	(void)digest_of(f, "src");
	assert_int_equal(stat_of(f, fact).st_size, STAT_HEADER + STAT_RECORD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_listing_holds_types_modes_and_contents),
		STORE_TEST(the_rules_leave_out),
		STORE_TEST(a_named_file_of_rules_must_be_there),
		STORE_TEST(a_file_is_listed_under_its_own_name),
		STORE_TEST(what_no_image_can_hold_is_named),
		STORE_TEST(deep_trees_have_a_limit),
		STORE_TEST(an_edit_within_the_clock_is_seen),
		STORE_TEST(a_file_from_the_future_is_not_remembered),
		STORE_TEST(old_files_are_not_read_again),
		STORE_TEST(a_cache_cut_short_or_gone_is_no_cache),
		STORE_TEST(touched_files_are_read_again),
		STORE_TEST(nothing_is_written_where_nothing_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
