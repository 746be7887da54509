/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/index.h"
#include "base/path.h"
#include "base/strv.h"

/* One collection. */
struct gc {
	struct varve_store *store;
	struct varve_store *place; /* what is gone through: the store, then its scratch directory */
	const struct store_gc_options *options;
	struct store_marks marks;
	struct store_seen seen;
	struct store_gc_result result;
	int error; /* the first failure; the rest is collected all the same */
	struct varve_error *err;
};

/* Looks at DIR/NAME. */
typedef void visit_fn(struct gc *gc, const char *dir, const char *name);

static void visit_all(struct gc *gc, const char *dir, visit_fn *visit)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;

	(void)store_list(gc->place, dir, &names);
	for (size_t i = 0; i < names.count; i++)
		visit(gc, dir, names.items[i]);
}

/* Removes DIR/NAME and counts its bytes; true when it is gone (dry run: would be). */
static bool drop(struct gc *gc, const char *dir, const char *name)
{
	CLEANUP(free_ptr) char *path = path_join(dir, name);
	struct varve_error *err = gc->error == 0 ? gc->err : NULL;
	struct stat st;
	uint64_t bytes = 0;
	int r = 0;

	store_count_tree(gc->place, path, STORE_COUNT_FREED, &gc->seen, &bytes);
	/* What goes now takes its names out of the number that the next file has. */
	if (!gc->options->dry_run)
		store_seen_release(&gc->seen);
	if (fstatat(gc->place->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (!gc->options->dry_run && S_ISDIR(st.st_mode))
		r = store_discard(gc->place, path, err);
	else if (!gc->options->dry_run && unlinkat(gc->place->dirfd, path, 0) < 0)
		r = varve_error_set(err, -errno, "remove %s/%s", gc->place->path, path);
	if (r < 0 && gc->error == 0)
		gc->error = r;
	if (r == 0)
		gc->result.bytes += bytes;
	return r == 0;
}

static bool is_older(const struct gc *gc, const char *dir, const char *name)
{
	CLEANUP(free_ptr) char *path = path_join(dir, name);
	struct stat st;

	return fstatat(gc->place->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       store_age(&st) >= gc->options->keep_seconds;
}

/* --- what each directory keeps -----------------------------------------------------------------
 */

static void visit_record(struct gc *gc, const char *dir, const char *name)
{
	struct varve_digest key;

	if (store_digest_of_name(name, &key) && str_ends(name, ".json") &&
	    digest_set_has(&gc->marks.keys, &key))
		return;
	gc->result.records += drop(gc, dir, name);
}

/* What can be made again, or is meant to last so long. */
static void visit_aging(struct gc *gc, const char *dir, const char *name)
{
	if (is_older(gc, dir, name))
		(void)drop(gc, dir, name);
}

/* Files that other tools keep beside the blobs are not ours to remove. */
static void visit_blob(struct gc *gc, const char *dir, const char *name)
{
	struct varve_digest digest;

	if (strlen(name) == VARVE_DIGEST_HEX - 1 && store_digest_of_name(name, &digest) &&
	    !digest_set_has(&gc->marks.blobs, &digest))
		gc->result.blobs += drop(gc, dir, name);
}

static bool is_sound(const struct gc *gc, const char *dir, const char *name)
{
	CLEANUP(free_ptr) char *path = path_join(dir, name);
	CLEANUP(fd_close)
	int fd = openat(gc->place->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && store_tree_is_sound(gc->store, fd);
}

static void visit_tree(struct gc *gc, const char *dir, const char *name)
{
	struct varve_digest diff_id;

	if (!gc->options->trees && store_digest_of_name(name, &diff_id) &&
	    digest_set_has(&gc->marks.diff_ids, &diff_id) && is_sound(gc, dir, name))
		return;
	gc->result.trees += drop(gc, dir, name);
}

static void visit_mode(struct gc *gc, const char *dir, const char *name)
{
	CLEANUP(free_ptr) char *path = path_join(dir, name);

	visit_all(gc, path, visit_tree);
}

/* facts/blob: a file whose blob goes. */
static void visit_blob_fact(struct gc *gc, const char *dir, const char *name)
{
	CLEANUP(free_ptr) char *path = path_join(dir, name);
	CLEANUP(json_decrefp) json_t *object = NULL;
	struct varve_digest digest;
	struct varve_error unused;

	if (json_read_file(gc->store->dirfd, path, &object, &unused) == 0 &&
	    json_get_digest(json_object_get(object, "blob"), "digest", &digest, &unused) == 0 &&
	    digest_set_has(&gc->marks.blobs, &digest) &&
	    varve_store_has_blob(gc->store, &digest, NULL))
		return;
	(void)drop(gc, dir, name);
}

/* facts/whole and facts/marks: of a blob that goes. */
static void visit_whole(struct gc *gc, const char *dir, const char *name)
{
	struct varve_digest digest;

	if (!store_digest_of_name(name, &digest) || !digest_set_has(&gc->marks.blobs, &digest))
		(void)drop(gc, dir, name);
}

static bool has_kept_record(const struct gc *gc, const char *name)
{
	struct varve_digest key;

	return store_digest_of_name(name, &key) && digest_set_has(&gc->marks.keys, &key);
}

/* The log of a failed step has no record: it stays for its time. */
static void visit_log(struct gc *gc, const char *dir, const char *name)
{
	if (gc->options->logs || (!has_kept_record(gc, name) && is_older(gc, dir, name)))
		(void)drop(gc, dir, name);
}

/* Once the step has a record it has succeeded since, and nobody will look at its failure again. */
static void visit_failed(struct gc *gc, const char *dir, const char *name)
{
	if (has_kept_record(gc, name) || is_older(gc, dir, name))
		(void)drop(gc, dir, name);
}

static void visit_cache(struct gc *gc, const char *dir, const char *name)
{
	static const char resume[] = ".resume-"; /* and the key of a step that is not done yet */
	bool is_resume = str_starts(name, resume);

	if (gc->options->caches ||
	    (is_resume && (has_kept_record(gc, name + strlen(resume)) || is_older(gc, dir, name))))
		(void)drop(gc, dir, name);
}

/* A download or push that broke off: another try goes on where it stopped, for as long as one may
 * come. A download that is not named by a digest is never taken up again. */
static void visit_upload(struct gc *gc, const char *dir, const char *name)
{
	struct varve_digest digest;

	if (str_starts(name, "fetch-") &&
	    (varve_digest_parse_hex(name + strlen("fetch-"), &digest) < 0 ||
	     is_older(gc, dir, name)))
		(void)drop(gc, dir, name);
	if (str_starts(name, "push-") && is_older(gc, dir, name))
		(void)drop(gc, dir, name);
}

/* Nobody else has the store open, so nobody holds them; but the name of lock/store is being waited
 * on. */
static void visit_lock(struct gc *gc, const char *dir, const char *name)
{
	if (!str_equal(name, "store") && !gc->options->dry_run)
		(void)drop(gc, dir, name);
}

static const struct {
	const char *dir;
	visit_fn *visit;
	bool scratch; /* a scratch directory has it, too */
} visits[] = {
	{"steps", visit_record, false},         {"roots", visit_aging, false},
	{"blobs/sha256", visit_blob, false},    {"trees", visit_mode, true},
	{"facts/blob", visit_blob_fact, false}, {"logs", visit_log, false},
	{"failed", visit_failed, true},         {"caches", visit_cache, false},
	{"uploads", visit_upload, false},       {"facts/host", visit_aging, false},
	{"facts/seen", visit_aging, false},     {"facts/whole", visit_whole, false},
	{"facts/marks", visit_whole, false},    {"facts/attested", visit_aging, false},
	{"facts/inputs", visit_aging, false},   {"lock", visit_lock, true},
};

/* Lists of what refers to an image that goes: their names would keep them for ever. */
static void drop_orphans(struct gc *gc)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	struct varve_digest own;
	const json_t *entry;
	size_t i;

	if (gc->options->dry_run || store_index_read(gc->store, &index, NULL) < 0)
		return;
	json_array_foreach(json_object_get(index, "manifests"), i, entry)
	{
		int r = 0;

		if (index_entry_is_referrers(entry, NULL) &&
		    json_get_digest(entry, "digest", &own, NULL) == 0 &&
		    !digest_set_has(&gc->marks.blobs, &own))
			r = store_index_remove(gc->store, index_entry_name(entry),
					       gc->error == 0 ? gc->err : NULL);
		if (r < 0 && gc->error == 0)
			gc->error = r;
	}
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static int lock_alone(const struct varve_store *store, struct varve_error *err)
{
	int r;

	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	r = -errno;
	/* A failed conversion has dropped our shared lock. */
	(void)flock(store->lock_fd, LOCK_SH);
	if (r != -EWOULDBLOCK)
		return varve_error_set(err, r, "lock %s", store->path);
	varve_error_set(err, -VARVE_E_HOST, "another varve uses %s %s; gc needs it alone",
			store->is_scratch ? "the scratch directory" : "the store", store->path);
	if (err)
		err->code = r; /* set only now: its strerror says nothing */
	varve_error_hint(err, "wait for the builds that are running, then try again");
	return r;
}

static void sweep(struct gc *gc)
{
	struct store_usage usage = {0};
	int r;

	store_count_tree(gc->store, "tmp", STORE_COUNT_FREED, &gc->seen, &usage.temporary);
	if (gc->store->work != gc->store)
		store_count_tree(gc->store->work, "tmp", STORE_COUNT_FREED, &gc->seen,
				 &usage.temporary);
	if (!gc->options->dry_run)
		store_seen_release(&gc->seen);
	r = gc->options->dry_run ? 0 : store_sweep(gc->store, gc->error == 0 ? gc->err : NULL);
	if (r < 0 && gc->error == 0)
		gc->error = r;
	gc->result.bytes += usage.temporary;
}

static void go_through(struct gc *gc, struct varve_store *place)
{
	gc->place = place;
	for (size_t i = 0; i < ARRAY_SIZE(visits); i++)
		if (visits[i].scratch || !place->is_scratch)
			visit_all(gc, visits[i].dir, visits[i].visit);
}

static int collect(struct gc *gc)
{
	int r = store_mark(gc->store, gc->options->keep_seconds, &gc->marks, gc->err);

	if (r < 0)
		return r;
	if (store_needs_sweep(gc->store))
		sweep(gc);
	drop_orphans(gc);
	go_through(gc, gc->store);
	if (gc->store->work != gc->store)
		go_through(gc, gc->store->work);
	return gc->error;
}

int store_gc(struct varve_store *store, const struct store_gc_options *options,
	     struct store_gc_result *ret, struct varve_error *err)
{
	struct gc gc = {.store = store, .place = store, .options = options, .err = err};
	int r = lock_alone(store, err);

	if (r < 0)
		return r;
	r = store->work == store ? 0 : lock_alone(store->work, err);
	if (r == 0)
		r = collect(&gc);
	store_marks_release(&gc.marks);
	store_seen_release(&gc.seen);
	(void)flock(store->work->lock_fd, LOCK_SH);
	(void)flock(store->lock_fd, LOCK_SH);
	if (r < 0)
		return r;
	*ret = gc.result;
	return 0;
}
