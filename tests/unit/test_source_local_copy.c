/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "local_fixture.h"

enum { COPY_TIME = 315532800 };

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
		STORE_TEST(a_copy_has_constant_modes_and_times),
		STORE_TEST(a_copy_of_old_files_trusts_the_cache),
		STORE_TEST(a_single_file_is_copied_under_its_name),
		STORE_TEST(changed_files_are_stale),
		STORE_TEST(new_files_are_not_copied),
		STORE_TEST(without_a_kept_listing_it_is_taken_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
