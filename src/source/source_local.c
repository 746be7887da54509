/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "source/source_ignore.h"
#include "source/source_listing.h"
#include "source/source_stat.h"
#include "store/store.h"

enum { IGNORE_LIMIT = 1 << 20, COPY_TIME = 315532800, VALUE_PREFIX = 7 };

/* A local source on this host. */
struct local {
	const char *name; /* as the recipe has it; borrowed */
	const char *ignore; /* file of rules below the directory, may be absent; borrowed */
	bool needs_ignore; /* the recipe names it: it must be there */
	char *path; /* absolute, without links */
	int fd; /* the directory, or the one that holds the single file */
	bool is_file;
	struct source_stat *cache;
};

static void local_release(struct local *local)
{
	source_stat_free(local->cache);
	fd_close(&local->fd);
	free(local->path);
}

static int local_open(const struct source_context *context, const json_t *spec, struct local *ret,
		      struct varve_error *err)
{
	const char *directory = context->directory ? context->directory : "";
	CLEANUP(free_ptr) char *path = NULL;
	CLEANUP(free_ptr) char *parent = NULL;
	const char *ignore = json_optional_string(spec, "ignore", "");
	int r = json_get_string(spec, "path", &ret->name, err);

	if (r < 0)
		return r;
	ret->needs_ignore = *ignore != '\0';
	ret->ignore = ret->needs_ignore ? ignore : ".varveignore";
	path = path_join(directory, *ret->name ? ret->name : ".");
	ret->path = realpath(path, NULL);
	if (!ret->path)
		return varve_error_set(err, -errno, "open %s", path);
	ret->fd = open(ret->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret->is_file = ret->fd < 0 && errno == ENOTDIR;
	if (ret->is_file) {
		parent = xasprintf("%.*s/", (int)path_dir_len(ret->path), ret->path);
		ret->fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (ret->fd < 0)
		return varve_error_set(err, -errno, "open %s", path);
	ret->cache = source_stat_open(context->store, ret->path, ignore);
	return 0;
}

/* --- listing and digest --------------------------------------------------------------------------
 */

static int read_rules(const struct local *local, struct source_ignore **ret,
		      struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct stat st;
	int r;

	*ret = NULL;
	if (!local->needs_ignore && fstatat(local->fd, local->ignore, &st, 0) < 0 &&
	    errno == ENOENT)
		return 0;
	r = fd_read_file(local->fd, local->ignore, IGNORE_LIMIT, &text, err);
	if (r < 0)
		return r;
	*ret = source_ignore_parse(buf_text(&text), text.len);
	return 0;
}

static int list_directory(const struct local *local, struct source_listing *listing,
			  struct varve_error *err)
{
	CLEANUP(source_ignore_freep) struct source_ignore *ignore = NULL;
	CLEANUP(free_ptr) char *without = path_clean(local->ignore);
	int r = read_rules(local, &ignore, err);

	if (r < 0)
		return r;
	listing->ignore = ignore;
	listing->without = without;
	r = source_listing_add_directory(listing, local->fd, err);
	listing->ignore = NULL;
	listing->without = NULL;
	return r;
}

/* Whether the fact has these bytes; a million files are a listing of 100 MB, which is not read into
 * memory for that. */
static bool is_whole(struct varve_store *store, const char *name, const struct varve_digest *want)
{
	CLEANUP(free_ptr) char *path = path_join("facts", name);
	CLEANUP(fd_close)
	int fd = openat(store_dirfd(store), path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct varve_digest digest;

	return fd >= 0 && digest_fd(fd, &digest, NULL) == 0 && varve_digest_equal(&digest, want);
}

/* Always the same bytes under this name: what is there already, and whole, is left alone. */
static void keep_listing(struct varve_store *store, const struct varve_digest *digest,
			 const struct buf *text)
{
	char name[8 + VARVE_DIGEST_HEX], hex[VARVE_DIGEST_HEX];
	int r;

	snprintf(name, sizeof(name), "listing-%s", varve_digest_hex(digest, hex));
	if (is_whole(store, name, digest))
		return;
	r = store_fact_write(store, name, text->data, text->len);
	if (r < 0)
		log_debug("facts/%s is not written: %s", name, strerror(-r));
}

static int list_local(struct source_context *context, struct local *local, struct varve_digest *ret,
		      json_t **ret_listing, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *files = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct source_listing listing = {.cache = local->cache, .files = files};
	int r;

	if (local->is_file)
		r = source_listing_add_file(&listing, local->fd, path_base(local->path),
					    path_base(local->name), err);
	else
		r = list_directory(local, &listing, err);
	if (r < 0) {
		varve_error_prefix(err, "local source %s", local->name);
		return r;
	}
	source_stat_save(local->cache);
	if (!ret_listing) /* nothing of it is to be copied: a million files are 150 MB */
		source_stat_freep(&local->cache);
	json_canonical(files, &text);
	digest_bytes(text.data, text.len, ret);
	keep_listing(context->store, ret, &text);
	if (ret_listing)
		*ret_listing = steal_ptr(&files);
	return 0;
}

int source_local_digest(struct source_context *context, const json_t *spec,
			struct varve_digest *ret, json_t **ret_listing, struct varve_error *err)
{
	CLEANUP(local_release) struct local local = {.fd = -1};
	int r = local_open(context, spec, &local, err);

	return r < 0 ? r : list_local(context, &local, ret, ret_listing, err);
}

/* --- copy ----------------------------------------------------------------------------------------
 */

struct copy {
	const struct local *local;
	int to;
	struct strv directories; /* made by the copy */
	char *parent; /* of the last file: it is there */
};

/* 1980: a layer's epoch is never older, so that its clamp leaves these times as they are and a
 * checkout of another day gives the same bytes. */
static const struct timespec copy_times[2] = {{COPY_TIME, 0}, {COPY_TIME, 0}};

static void copy_release(struct copy *copy)
{
	strv_release(&copy->directories);
	free(copy->parent);
}

static int make_directory(struct copy *copy, const char *path, struct varve_error *err)
{
	if (mkdirat(copy->to, path, 0700) == 0)
		strv_add(&copy->directories, path);
	else if (errno != EEXIST)
		return varve_error_set(err, -errno, "make the directory %s", path);
	return 0;
}

/* All directories above path. */
static int make_parents(struct copy *copy, const char *path, struct varve_error *err)
{
	CLEANUP(free_ptr) char *parent = xstrndup(path, path_dir_len(path));
	int r = 0;

	if (!*parent || str_equal(parent, copy->parent))
		return 0;
	for (char *slash = strchr(parent, '/'); r == 0 && slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		r = make_directory(copy, parent, err);
		*slash = '/';
	}
	if (r == 0)
		r = make_directory(copy, parent, err);
	if (r < 0)
		return r;
	free(copy->parent);
	copy->parent = steal_ptr(&parent);
	return 0;
}

/* Whether in still is what was hashed when the cache remembered it. */
static bool is_known(const struct copy *copy, int in, const struct stat *before,
		     const struct varve_digest *want)
{
	struct varve_digest known;
	struct stat after;

	return source_stat_find(copy->local->cache, before, &known) &&
	       varve_digest_equal(&known, want) && fstat(in, &after) == 0 &&
	       source_stat_same(before, &after);
}

static int copy_content(const struct copy *copy, int in, int out, const struct varve_digest *want)
{
	struct varve_digest digest;
	struct stat st;
	int r;

	if (fstat(in, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ESTALE;
	r = fd_copy(in, out, (uint64_t)st.st_size);
	if (r < 0 || is_known(copy, in, &st, want))
		return r;
	if (lseek(out, 0, SEEK_SET) < 0)
		return -errno;
	r = digest_fd(out, &digest, NULL);
	return r < 0 || varve_digest_equal(&digest, want) ? r : -ESTALE;
}

static int copy_file(struct copy *copy, const char *path, const char *value,
		     struct varve_error *err)
{
	const char *from = copy->local->is_file ? path_base(copy->local->path) : path;
	const mode_t mode = str_starts(value, "100755:") ? 0755 : 0644;
	CLEANUP(fd_close)
	int in = openat(copy->local->fd, from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	CLEANUP(fd_close) int out = -1;
	struct varve_digest want;
	int r;

	if (in < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return source_stat_changed(path, err);
	if (in < 0)
		return varve_error_set(err, -errno, "open %s", path);
	if (varve_digest_parse_hex(value + VALUE_PREFIX, &want) < 0)
		return varve_error_set(err, -VARVE_E_FORMAT, "the listing of %s", path);
	out = openat(copy->to, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return varve_error_set(err, -errno, "make %s", path);
	r = copy_content(copy, in, out, &want);
	if (r == -ESTALE)
		return source_stat_changed(path, err);
	if (r == 0 && (fchmod(out, mode) < 0 || futimens(out, copy_times) < 0))
		r = -errno;
	return r < 0 ? varve_error_set(err, r, "copy %s", path) : 0;
}

static int copy_link(struct copy *copy, const char *path, const char *target,
		     struct varve_error *err)
{
	if (symlinkat(target, copy->to, path) < 0 ||
	    utimensat(copy->to, path, copy_times, AT_SYMLINK_NOFOLLOW) < 0)
		return varve_error_set(err, -errno, "make the link %s", path);
	return 0;
}

static int copy_entry(struct copy *copy, const char *path, const char *value,
		      struct varve_error *err)
{
	int r = make_parents(copy, path, err);

	if (r < 0 || str_starts(value, "120000:"))
		return r;
	return str_starts(value, "040000:") ? make_directory(copy, path, err)
					    : copy_file(copy, path, value, err);
}

/* Times change with what is made in a directory: they come last. */
static int finish_directories(const struct copy *copy, struct varve_error *err)
{
	for (size_t i = 0; i < copy->directories.count; i++) {
		const char *path = copy->directories.items[i];

		if (fchmodat(copy->to, path, 0755, 0) < 0 ||
		    utimensat(copy->to, path, copy_times, AT_SYMLINK_NOFOLLOW) < 0)
			return varve_error_set(err, -errno, "finish the directory %s", path);
	}
	if (fchmod(copy->to, 0755) < 0 || futimens(copy->to, copy_times) < 0)
		return varve_error_set(err, -errno, "finish the directory of the source");
	return 0;
}

static int copy_listing(struct copy *copy, json_t *listing, struct varve_error *err)
{
	const char *path;
	json_t *value;
	int r;

	json_object_foreach(listing, path, value)
	{
		if (!path_is_clean(path) || json_string_length(value) < VALUE_PREFIX)
			return varve_error_set(err, -VARVE_E_FORMAT, "the listing of %s", path);
		r = copy_entry(copy, path, json_string_value(value), err);
		if (r < 0)
			return r;
	}
	/* Links after all else: nothing is written through one. */
	json_object_foreach(listing, path, value)
	{
		const char *text = json_string_value(value);

		r = str_starts(text, "120000:") ? copy_link(copy, path, text + VALUE_PREFIX, err)
						: 0;
		if (r < 0)
			return r;
	}
	return finish_directories(copy, err);
}

/* The listing that want is the digest of: as it was kept, else taken again. */
static int find_listing(struct source_context *context, struct local *local,
			const struct varve_digest *want, json_t **ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *listing = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char name[8 + VARVE_DIGEST_HEX], hex[VARVE_DIGEST_HEX];
	struct varve_digest digest;
	int r;

	snprintf(name, sizeof(name), "listing-%s", varve_digest_hex(want, hex));
	if (store_fact_read(context->store, name, &text) == 0) {
		digest_bytes(buf_text(&text), text.len, &digest);
		if (varve_digest_equal(&digest, want) &&
		    json_parse(buf_text(&text), text.len, name, ret, NULL) == 0)
			return 0;
	}
	r = list_local(context, local, &digest, &listing, err);
	if (r < 0)
		return r;
	if (!varve_digest_equal(&digest, want))
		return source_stat_changed(local->name, err);
	*ret = steal_ptr(&listing);
	return 0;
}

int source_local_listing(struct source_context *context, const json_t *spec,
			 const struct varve_digest *want, json_t **ret, struct varve_error *err)
{
	CLEANUP(local_release) struct local local = {.fd = -1};
	int r = local_open(context, spec, &local, err);

	return r < 0 ? r : find_listing(context, &local, want, ret, err);
}

int source_local_copy(struct source_context *context, const json_t *spec,
		      const struct varve_digest *want, int directory, struct varve_error *err)
{
	CLEANUP(local_release) struct local local = {.fd = -1};
	CLEANUP(json_decrefp) json_t *listing = NULL;
	CLEANUP(copy_release) struct copy copy = {.local = &local, .to = directory};
	int r;

	r = local_open(context, spec, &local, err);
	if (r == 0)
		r = find_listing(context, &local, want, &listing, err);
	if (r < 0)
		return r;
	r = copy_listing(&copy, listing, err);
	if (r < 0)
		varve_error_prefix(err, "local source %s", local.name);
	return r;
}
