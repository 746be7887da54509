/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <time.h>
#include "source/source.h"
#include "store_fixture.h"

enum { STAT_HEADER = 48, STAT_RECORD = 72, STAT_DIGEST = 40, COPY_TIME = 315532800 };

/* sha256 of "", "a", "b". */
#define NONE "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define A "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define B "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"

static void make_dir(const struct fixture *f, const char *path)
{
	assert_int_equal(fd_mkdir_p(f->scratch->fd, path, 0755), 0);
}

static void write_file(const struct fixture *f, const char *path, const char *text)
{
	scratch_write(f->scratch, path, text);
}

static void set_mode(const struct fixture *f, const char *path, mode_t mode)
{
	assert_int_equal(fchmodat(f->scratch->fd, path, mode, 0), 0);
}

static void make_link(const struct fixture *f, const char *target, const char *path)
{
	assert_int_equal(symlinkat(target, f->scratch->fd, path), 0);
}

static json_t *spec_of(const char *path, const char *ignore)
{
	json_t *spec = json_object();

	json_set(spec, "kind", json_text("local"));
	json_set(spec, "path", json_text(path));
	json_set(spec, "ignore", json_text(ignore));
	return spec;
}

static struct source_context context_of(const struct fixture *f)
{
	return (struct source_context){.store = f->store, .directory = f->scratch->path};
}

static int try_digest(const struct fixture *f, const char *path, const char *ignore,
		      struct varve_digest *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *spec = spec_of(path, ignore);
	struct source_context context = context_of(f);

	return source_local_digest(&context, spec, ret, NULL, err);
}

static struct varve_digest digest_of(const struct fixture *f, const char *path)
{
	struct varve_digest digest = {{0}};
	struct varve_error err = {0};

	if (try_digest(f, path, "", &digest, &err) < 0)
		fail_msg("%s", err.text);
	return digest;
}

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

static void keep_listing_path(const struct varve_digest *digest, char path[128])
{
	char hex[VARVE_DIGEST_HEX];

	snprintf(path, 128, "store/facts/listing-%s", varve_digest_hex(digest, hex));
}

/* Two seconds after a change a file is remembered. */
static void wait_until_old(void)
{
	const struct timespec time = {2, 50000000};

	assert_int_equal(nanosleep(&time, NULL), 0);
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

static void set_times(const struct fixture *f, const char *path, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	assert_int_equal(utimensat(f->scratch->fd, path, times, 0), 0);
}

static struct stat stat_of(const struct fixture *f, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(f->scratch->fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

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

/* --- copies --------------------------------------------------------------------------------------
 */

static int try_copy(const struct fixture *f, const char *path, const struct varve_digest *want,
		    const char *to, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *spec = spec_of(path, "");
	struct source_context context = context_of(f);
	CLEANUP(fd_close) int fd = -1;

	make_dir(f, to);
	fd = openat(f->scratch->fd, to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return source_local_copy(&context, spec, want, fd, err);
}

static void expect_stale(const struct fixture *f, const struct varve_digest *want, const char *to,
			 const char *name)
{
	struct varve_error err = {0};

	assert_int_equal(try_copy(f, "src", want, to, &err), -ESTALE);
	assert_int_equal(err.code, -ESTALE);
	assert_non_null(strstr(err.text, name));
	assert_non_null(strstr(err.text, "changed while it was being read; run the build again"));
}

static void copy(const struct fixture *f, const char *path, const struct varve_digest *want,
		 const char *to)
{
	struct varve_error err = {0};

	if (try_copy(f, path, want, to, &err) < 0)
		fail_msg("%s", err.text);
}

static void fill_source(const struct fixture *f)
{
	make_dir(f, "src/d/e");
	make_dir(f, "src/empty");
	write_file(f, "src/d/e/a", "a");
	write_file(f, "src/d-run", "b");
	write_file(f, "src/none", "");
	set_mode(f, "src/d-run", 0777);
	set_mode(f, "src/none", 0600);
	make_link(f, "e/a", "src/d/link");
}

static void a_copy_has_constant_modes_and_times(void **state)
{
	static const struct {
		const char *path;
		mode_t mode;
	} want[] = {
		{"to", S_IFDIR | 0755},        {"to/d", S_IFDIR | 0755},
		{"to/d/e", S_IFDIR | 0755},    {"to/d/e/a", S_IFREG | 0644},
		{"to/d-run", S_IFREG | 0755},  {"to/none", S_IFREG | 0644},
		{"to/d/link", S_IFLNK | 0777}, {"to/empty", S_IFDIR | 0755},
	};
	const struct fixture *f = *state;
	mode_t mask = umask(077);
	struct varve_digest digest, again;

	fill_source(f);
	digest = digest_of(f, "src");
	copy(f, "src", &digest, "to");
	(void)umask(mask);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct stat st = stat_of(f, want[i].path);

		if (st.st_mode != want[i].mode || st.st_mtim.tv_sec != COPY_TIME ||
		    st.st_mtim.tv_nsec != 0)
			fail_msg("%s: mode %o, time %lld", want[i].path, (unsigned)st.st_mode,
				 (long long)st.st_mtim.tv_sec);
	}
	/* The copy is what was listed. */
	again = digest_of(f, "to");
	assert_true(varve_digest_equal(&digest, &again));
}

static void a_copy_of_old_files_trusts_the_cache(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest, again;

	fill_source(f);
	wait_until_old();
	digest = digest_of(f, "src");
	copy(f, "src", &digest, "to");
	again = digest_of(f, "to");
	assert_true(varve_digest_equal(&digest, &again));
	write_file(f, "src/d/e/a", "b");
	expect_stale(f, &digest, "late", "d/e/a");
	/* Another build has listed the new content meanwhile. */
	wait_until_old();
	(void)digest_of(f, "src");
	expect_stale(f, &digest, "later", "d/e/a");
}

static void a_single_file_is_copied_under_its_name(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *text = NULL;
	struct varve_digest digest;

	write_file(f, "x", "a");
	make_link(f, "x", "name");
	digest = digest_of(f, "name");
	copy(f, "name", &digest, "to");
	text = scratch_read(f->scratch, "to/name");
	assert_string_equal(text, "a");
	assert_true(S_ISREG(stat_of(f, "to/name").st_mode));
}

static void changed_files_are_stale(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest;
	struct stat st;

	fill_source(f);
	digest = digest_of(f, "src");
	st = stat_of(f, "src/d/e/a");
	write_file(f, "src/d/e/a", "b");
	set_times(f, "src/d/e/a", &st);
	expect_stale(f, &digest, "one", "d/e/a");
	write_file(f, "src/d/e/a", "longer");
	expect_stale(f, &digest, "two", "d/e/a");
	assert_int_equal(unlinkat(f->scratch->fd, "src/d/e/a", 0), 0);
	expect_stale(f, &digest, "three", "d/e/a");
	assert_int_equal(mkfifoat(f->scratch->fd, "src/d/e/a", 0600), 0);
	expect_stale(f, &digest, "four", "d/e/a");
	assert_int_equal(unlinkat(f->scratch->fd, "src/d/e/a", 0), 0);
	make_dir(f, "src/d/e/a");
	expect_stale(f, &digest, "five", "d/e/a");
}

/* Only what is listed is copied, so what came later does no harm. */
static void new_files_are_not_copied(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest, again;

	fill_source(f);
	digest = digest_of(f, "src");
	write_file(f, "src/later", "a");
	copy(f, "src", &digest, "to");
	again = digest_of(f, "to");
	assert_true(varve_digest_equal(&digest, &again));
}

static void without_a_kept_listing_it_is_taken_again(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest digest, again;
	char kept[128];

	fill_source(f);
	digest = digest_of(f, "src");
	keep_listing_path(&digest, kept);
	assert_int_equal(unlinkat(f->scratch->fd, kept, 0), 0);
	copy(f, "src", &digest, "to");
	again = digest_of(f, "to");
	assert_true(varve_digest_equal(&digest, &again));
	/* One that was damaged is not believed. */
	write_file(f, kept, "{}");
	copy(f, "src", &digest, "damaged");
	again = digest_of(f, "damaged");
	assert_true(varve_digest_equal(&digest, &again));
	assert_int_equal(unlinkat(f->scratch->fd, kept, 0), 0);
	write_file(f, "src/later", "a");
	expect_stale(f, &digest, "late", "src");
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
		STORE_TEST(touched_files_are_read_again),
		STORE_TEST(nothing_is_written_where_nothing_changed),
		STORE_TEST(a_copy_has_constant_modes_and_times),
		STORE_TEST(a_copy_of_old_files_trusts_the_cache),
		STORE_TEST(a_single_file_is_copied_under_its_name),
		STORE_TEST(changed_files_are_stale),
		STORE_TEST(new_files_are_not_copied),
		STORE_TEST(without_a_kept_listing_it_is_taken_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
