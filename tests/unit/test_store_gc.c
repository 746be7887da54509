/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/file.h>
#include "base/strv.h"
#include "store_fixture.h"

enum { HOUR = 60 * 60 };

static struct store_gc_result collect(const struct fixture *f, struct store_gc_options options)
{
	struct store_gc_result result = {0};
	struct varve_error err = {0};

	if (options.keep_seconds == 0)
		options.keep_seconds = HOUR;
	if (store_gc(f->store, &options, &result, &err) < 0)
		fail_msg("%s", err.text);
	return result;
}

static bool has(const struct fixture *f, const struct varve_digest *digest)
{
	return varve_store_has_blob(f->store, digest, NULL);
}

/* {"mediaType":...,"digest":...,"size":...} of text, which is put. */
static char *describe(const struct fixture *f, const char *media_type, const char *text)
{
	struct varve_digest digest = fixture_put(f->store, text);
	char digest_text[VARVE_DIGEST_TEXT];

	return xasprintf("{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}", media_type,
			 varve_digest_text(&digest, digest_text), strlen(text));
}

/* An index with one manifest with a config and a layer "layer", all in the store; its text. */
static char *make_image(const struct fixture *f)
{
	struct varve_digest diff_id = fixture_digest("diff");
	char text[VARVE_DIGEST_TEXT];
	CLEANUP(free_ptr)
	char *config_text = xasprintf("{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
				      varve_digest_text(&diff_id, text));
	CLEANUP(free_ptr) char *config = describe(f, VARVE_MEDIA_CONFIG, config_text);
	CLEANUP(free_ptr) char *layer = describe(f, VARVE_MEDIA_LAYER, "layer");
	CLEANUP(free_ptr)
	char *manifest_text = xasprintf("{\"config\":%s,\"layers\":[%s]}", config, layer);
	CLEANUP(free_ptr) char *manifest = describe(f, VARVE_MEDIA_MANIFEST, manifest_text);

	return xasprintf("{\"manifests\":[%s]}", manifest);
}

static void set_image(const struct fixture *f, const char *name, const char *index_text)
{
	struct varve_descriptor d = {.media_type = VARVE_MEDIA_INDEX, .size = strlen(index_text)};

	d.digest = fixture_put(f->store, index_text);
	assert_int_equal(store_index_set(f->store, name, &d, NULL, NULL), 0);
}

static void adopt(const struct fixture *f, const struct varve_digest *diff_id)
{
	struct store_job job = STORE_JOB_INIT;
	struct store_tree_lists implied = STORE_TREE_LISTS_INIT;

	assert_int_equal(store_job_begin(f->store, &job, NULL), 0);
	assert_int_equal(mkdirat(job.dirfd, "upper", 0755), 0);
	assert_int_equal(mkdirat(job.dirfd, "upper/dir", 0555), 0);
	assert_int_equal(store_tree_adopt(f->store, &root_owners, diff_id, job.dirfd, "upper",
					  &implied, NULL),
			 0);
	assert_int_equal(store_job_remove(f->store, &job), 0);
}

static void images_stay_whole(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest layer = fixture_digest("layer"), loose = fixture_put(f->store, "loose");
	struct varve_digest diff_id = fixture_digest("diff");
	CLEANUP(free_ptr) char *index = make_image(f);
	struct store_gc_result result;

	set_image(f, "a:1", index);
	adopt(f, &diff_id);
	adopt(f, &loose);
	result = collect(f, (struct store_gc_options){0});
	assert_int_equal(result.blobs, 1);
	assert_int_equal(result.trees, 1);
	assert_true(result.bytes > 0);
	assert_false(has(f, &loose));
	assert_true(has(f, &layer));
	assert_true(store_tree_exists(f->store, &root_owners, &diff_id));
	assert_false(store_tree_exists(f->store, &root_owners, &loose));

	assert_int_equal(store_index_remove(f->store, "a:1", NULL), 0);
	result = collect(f, (struct store_gc_options){0});
	assert_int_equal(result.blobs, 4);
	assert_int_equal(result.trees, 1);
	assert_false(has(f, &layer));
	assert_false(store_needs_sweep(f->store));
}

static void a_dry_run_removes_nothing_and_says_the_same(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest loose = fixture_put(f->store, "loose");
	struct store_gc_result dry, real;

	adopt(f, &loose);
	dry = collect(f, (struct store_gc_options){.dry_run = true});
	assert_true(has(f, &loose));
	assert_true(store_tree_exists(f->store, &root_owners, &loose));
	real = collect(f, (struct store_gc_options){0});
	assert_int_equal(dry.bytes, real.bytes);
	assert_int_equal(dry.blobs, 1);
	assert_int_equal(real.blobs, 1);
	assert_int_equal(real.trees, 1);
}

static char *under(const char *dir, const struct varve_digest *digest, const char *suffix)
{
	char hex[VARVE_DIGEST_HEX];

	return xasprintf("store/%s/%s%s", dir, varve_digest_hex(digest, hex), suffix);
}

static void make_dir(const struct fixture *f, const char *path)
{
	assert_int_equal(fd_mkdir_p(f->scratch->fd, path, 0755), 0);
}

static void records_stay_for_their_time(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_record_release) struct store_record young = fixture_record(f->store, "young");
	CLEANUP(store_record_release) struct store_record old = fixture_record(f->store, "old");
	CLEANUP(free_ptr) char *old_path = under("steps", &old.key, ".json");
	CLEANUP(free_ptr) char *old_log = under("logs", &old.key, ".log");
	CLEANUP(free_ptr) char *young_log = under("logs", &young.key, ".log");
	CLEANUP(free_ptr) char *failed = under("failed", &young.key, "");
	struct store_gc_result result;

	assert_int_equal(store_record_write(f->store, &young, NULL), 0);
	assert_int_equal(store_record_write(f->store, &old, NULL), 0);
	adopt(f, &young.layers.items[0].diff_id);
	make_dir(f, "store/logs");
	make_dir(f, failed);
	scratch_write(f->scratch, old_log, "log");
	scratch_write(f->scratch, young_log, "log");
	fixture_set_age(f, old_path, HOUR + 1);
	fixture_set_age(f, old_log, HOUR + 1);
	fixture_set_age(f, young_log, HOUR + 1);
	result = collect(f, (struct store_gc_options){0});
	assert_int_equal(result.records, 1);
	assert_int_equal(result.blobs, 1);
	assert_int_equal(result.trees, 0);
	assert_false(has(f, &old.layers.items[0].blob.digest));
	assert_true(has(f, &young.layers.items[0].blob.digest));
	assert_false(scratch_exists(f->scratch, old_path));
	assert_false(scratch_exists(f->scratch, old_log));
	assert_true(scratch_exists(f->scratch, young_log));
	assert_false(scratch_exists(f->scratch, failed)); /* it has succeeded since */
}

static void a_failure_stays_for_its_time(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest key = fixture_digest("key");
	CLEANUP(free_ptr) char *log = under("logs", &key, ".log");
	CLEANUP(free_ptr) char *failed = under("failed", &key, "");

	make_dir(f, "store/logs");
	make_dir(f, failed);
	scratch_write(f->scratch, log, "log");
	(void)collect(f, (struct store_gc_options){0});
	assert_true(scratch_exists(f->scratch, log));
	assert_true(scratch_exists(f->scratch, failed));
	fixture_set_age(f, log, HOUR + 1);
	fixture_set_age(f, failed, HOUR + 1);
	(void)collect(f, (struct store_gc_options){0});
	assert_false(scratch_exists(f->scratch, log));
	assert_false(scratch_exists(f->scratch, failed));
}

static void roots_keep_their_blobs(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest artifact = fixture_put(f->store, "a.deb");

	assert_int_equal(store_root_set(f->store, "system", &artifact, 1, NULL), 0);
	(void)collect(f, (struct store_gc_options){0});
	assert_true(has(f, &artifact));
	fixture_set_age(f, "store/roots/system.json", HOUR + 1);
	(void)collect(f, (struct store_gc_options){0});
	assert_false(has(f, &artifact));
	assert_false(scratch_exists(f->scratch, "store/roots/system.json"));
}

static void what_can_be_made_again_goes_when_asked(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_record_release) struct store_record record = fixture_record(f->store, "one");
	CLEANUP(free_ptr) char *log = under("logs", &record.key, ".log");

	assert_int_equal(store_record_write(f->store, &record, NULL), 0);
	adopt(f, &record.layers.items[0].diff_id);
	make_dir(f, "store/caches/ccache/a");
	make_dir(f, "store/logs");
	scratch_write(f->scratch, log, "log");
	(void)collect(f, (struct store_gc_options){0});
	assert_true(store_tree_exists(f->store, &root_owners, &record.layers.items[0].diff_id));
	assert_true(scratch_exists(f->scratch, "store/caches/ccache/a"));
	assert_true(scratch_exists(f->scratch, log));
	(void)collect(f, (struct store_gc_options){.trees = true, .caches = true, .logs = true});
	assert_false(store_tree_exists(f->store, &root_owners, &record.layers.items[0].diff_id));
	assert_false(scratch_exists(f->scratch, "store/caches/ccache"));
	assert_false(scratch_exists(f->scratch, log));
	assert_true(has(f, &record.layers.items[0].blob.digest));
}

static void facts_that_dangle_go(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_record_release) struct store_record kept = fixture_record(f->store, "kept");
	CLEANUP(store_record_release) struct store_record gone = fixture_record(f->store, "gone");
	CLEANUP(free_ptr)
	char *kept_path = under("facts/blob", &kept.layers.items[0].diff_id, ".gzip:6");
	CLEANUP(free_ptr)
	char *gone_path = under("facts/blob", &gone.layers.items[0].diff_id, ".gzip:6");

	assert_int_equal(store_record_write(f->store, &kept, NULL), 0);
	assert_int_equal(store_note_blob_of_layer(f->store, &kept.layers.items[0], "gzip:6", NULL),
			 0);
	assert_int_equal(store_note_blob_of_layer(f->store, &gone.layers.items[0], "gzip:6", NULL),
			 0);
	assert_int_equal(store_fact_write(f->store, "stat-x", "x", 1), 0);
	assert_int_equal(store_fact_write(f->store, "host/x", "x", 1), 0);
	assert_int_equal(store_fact_write(f->store, "host/y", "y", 1), 0);
	fixture_set_age(f, "store/facts/host/y", HOUR + 1);
	(void)collect(f, (struct store_gc_options){0});
	assert_true(scratch_exists(f->scratch, "store/facts/host/x"));
	assert_false(scratch_exists(f->scratch, "store/facts/host/y"));
	assert_true(scratch_exists(f->scratch, kept_path));
	assert_false(scratch_exists(f->scratch, gone_path));
	assert_true(scratch_exists(f->scratch, "store/facts/stat-x"));
}

static void garbage_goes_and_foreign_files_stay(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest diff_id = fixture_digest("diff");
	CLEANUP(free_ptr) char *tree = under("trees/root", &diff_id, "/boot");
	CLEANUP(free_ptr) char *partial = under("blobs/sha256", &diff_id, ".part");
	CLEANUP(free_ptr) char *index = make_image(f);
	int fd = -1;

	set_image(f, "a:1", index);
	adopt(f, &diff_id);
	scratch_write(f->scratch, tree, "another boot");
	scratch_write(f->scratch, "store/blobs/sha256/notes.txt", "mine");
	scratch_write(f->scratch, partial, "theirs");
	scratch_write(f->scratch, "store/tmp/.varve-0123456789abcdef", "left");
	make_dir(f, "store/tmp/dead-1/sub");
	assert_int_equal(store_lock(f->store, "step-1", true, false, &fd, NULL), 0);
	fd_close(&fd);
	(void)collect(f, (struct store_gc_options){0});
	assert_false(scratch_exists(f->scratch, tree));
	assert_true(scratch_exists(f->scratch, "store/blobs/sha256/notes.txt"));
	assert_true(scratch_exists(f->scratch, partial));
	assert_false(scratch_exists(f->scratch, "store/tmp/.varve-0123456789abcdef"));
	assert_false(scratch_exists(f->scratch, "store/tmp/dead-1"));
	assert_false(scratch_exists(f->scratch, "store/lock/step-1"));
	assert_true(scratch_exists(f->scratch, "store/lock/store"));
}

static void broken_transfers_stay_for_their_time(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest young = fixture_digest("young"), old = fixture_digest("old");
	char hex[VARVE_DIGEST_HEX];
	CLEANUP(free_ptr)
	char *young_path = xasprintf("store/uploads/fetch-%s", varve_digest_hex(&young, hex));
	CLEANUP(free_ptr)
	char *old_path = xasprintf("store/uploads/fetch-%s", varve_digest_hex(&old, hex));

	make_dir(f, "store/uploads");
	scratch_write(f->scratch, young_path, "half");
	scratch_write(f->scratch, old_path, "half");
	scratch_write(f->scratch, "store/uploads/fetch-123-0", "of a killed process");
	scratch_write(f->scratch, "store/uploads/push-1", "a session");
	scratch_write(f->scratch, "store/uploads/push-2", "a session");
	scratch_write(f->scratch, "store/uploads/other", "mine");
	fixture_set_age(f, old_path, HOUR + 1);
	fixture_set_age(f, "store/uploads/push-1", HOUR + 1);
	fixture_set_age(f, "store/uploads/other", HOUR + 1);
	(void)collect(f, (struct store_gc_options){0});
	assert_true(scratch_exists(f->scratch, young_path));
	assert_false(scratch_exists(f->scratch, old_path));
	assert_false(scratch_exists(f->scratch, "store/uploads/fetch-123-0"));
	assert_false(scratch_exists(f->scratch, "store/uploads/push-1"));
	assert_true(scratch_exists(f->scratch, "store/uploads/push-2"));
	assert_true(scratch_exists(f->scratch, "store/uploads/other"));
}

static void a_store_in_use_is_left_alone(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(varve_store_closep) struct varve_store *other = fixture_open(f->path);
	struct store_gc_options options = {.keep_seconds = HOUR};
	struct varve_digest loose = fixture_put(f->store, "loose");
	struct store_gc_result result;
	struct varve_error err = {0};

	assert_int_equal(store_gc(f->store, &options, &result, &err), -EWOULDBLOCK);
	assert_non_null(strstr(err.text, "another varve"));
	assert_true(has(f, &loose));
	/* Our own shared lock is back: the other one is kept out as well. */
	assert_int_equal(store_gc(other, &options, &result, &err), -EWOULDBLOCK);
}

static void a_malformed_index_stops_it(void **state)
{
	const struct fixture *f = *state;
	struct store_gc_options options = {.keep_seconds = HOUR};
	struct varve_digest loose = fixture_put(f->store, "loose");
	struct store_gc_result result;
	struct varve_error err = {0};

	scratch_write(f->scratch, "store/index.json", "{");
	assert_int_equal(store_gc(f->store, &options, &result, &err), -VARVE_E_FORMAT);
	assert_non_null(strstr(err.text, "nothing was removed"));
	assert_true(has(f, &loose));
}

static void usage_counts_hard_links_once(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(free_ptr) char *text = xcalloc(1, (1 << 20) + 1);
	struct varve_digest digest;
	struct store_usage before, after;

	assert_int_equal(store_du(f->store, &before, NULL), 0);
	memset(text, 'x', 1 << 20);
	digest = fixture_put(f->store, text);
	make_dir(f, "store/caches/c");
	assert_int_equal(
		store_blob_link(f->store, &digest, f->scratch->fd, "store/caches/c/a", NULL), 0);
	assert_int_equal(store_du(f->store, &after, NULL), 0);
	assert_int_equal(after.blob_count, before.blob_count + 1);
	assert_true(after.blobs >= before.blobs + (1 << 20));
	assert_true(after.caches < before.caches + (1 << 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(images_stay_whole),
		STORE_TEST(a_dry_run_removes_nothing_and_says_the_same),
		STORE_TEST(records_stay_for_their_time),
		STORE_TEST(a_failure_stays_for_its_time),
		STORE_TEST(roots_keep_their_blobs),
		STORE_TEST(what_can_be_made_again_goes_when_asked),
		STORE_TEST(facts_that_dangle_go),
		STORE_TEST(garbage_goes_and_foreign_files_stay),
		STORE_TEST(broken_transfers_stay_for_their_time),
		STORE_TEST(a_store_in_use_is_left_alone),
		STORE_TEST(a_malformed_index_stops_it),
		STORE_TEST(usage_counts_hard_links_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
