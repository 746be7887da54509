/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/lock_file.h"
#include "base/path.h"
#include "base/strv.h"

static const char layout_text[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
static const char index_text[] =
	"{\"manifests\":[],\"mediaType\":\"" VARVE_MEDIA_INDEX "\",\"schemaVersion\":2}";

/* Directories of a new store. The others come with their first file. */
static const char *const first_dirs[] = {"blobs/sha256", "lock", "tmp", "steps", "trees"};

/* Everything that may lie in the directory of a store. */
static const char *const known_names[] = {
	"oci-layout", "index.json", "blobs",  "steps", "trees", "roots",   "facts",
	"caches",     "logs",       "failed", "lock",  "tmp",   "uploads", "lost+found",
};

int varve_store_default_path(char **ret, struct varve_error *err)
{
	const char *store = getenv("VARVE_STORE");
	const char *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");

	if (store && *store)
		*ret = xstrdup(store);
	else if (data && *data == '/') /* the base directory specification: others are ignored */
		*ret = path_join(data, "varve");
	else if (home && *home)
		*ret = path_join(home, ".local/share/varve");
	else
		return varve_error_set(err, -VARVE_E_USAGE,
				       "no place for the store: none of VARVE_STORE, XDG_DATA_HOME "
				       "and HOME is set; name one with --store");
	return 0;
}

static bool is_known_name(const char *name)
{
	if (str_starts(name, ".varve-")) /* temporary names */
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(known_names); i++)
		if (str_equal(name, known_names[i]))
			return true;
	return false;
}

/* A mistyped path must not strew a store over somebody's files. */
static int refuse_foreign(const struct varve_store *store, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	int r;

	if (faccessat(store->dirfd, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = store_list(store, ".", &names);
	if (r < 0)
		return varve_error_set(err, r, "list %s", store->path);
	for (size_t i = 0; i < names.count; i++)
		if (!is_known_name(names.items[i]))
			return varve_error_set(err, -VARVE_E_USAGE,
					       "%s is no store, and it holds other files (\"%s\"); "
					       "name an empty or a new directory",
					       store->path, names.items[i]);
	return 0;
}

/* Another process may do the same at the same time: the first one's file stays. */
static int make_file(struct varve_store *store, const char *name, const char *text,
		     struct varve_error *err)
{
	CLEANUP(tempfile_abort) struct tempfile t = TEMPFILE_INIT;
	int r;

	if (faccessat(store->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = store_temp_begin(store, 0644, &t, err);
	if (r < 0)
		return r;
	r = fd_write_all(t.fd, text, strlen(text));
	if (r < 0)
		return varve_error_set(err, r, "write %s/%s", store->path, name);
	return store_temp_commit(&t, store->dirfd, name, false, true, err);
}

static int sync_dirs(const struct varve_store *store, struct varve_error *err)
{
	CLEANUP(fd_close)
	int blobs = openat(store->dirfd, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = blobs < 0 ? -errno : fd_sync_dir(blobs);

	if (r == 0)
		r = fd_sync_dir(store->dirfd);
	return r < 0 ? varve_error_set(err, r, "sync %s", store->path) : 0;
}

/* oci-layout comes last: a directory that has it has the rest. */
static int make_layout(struct varve_store *store, struct varve_error *err)
{
	int r = refuse_foreign(store, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(first_dirs); i++) {
		r = fd_mkdir_p(store->dirfd, first_dirs[i], 0755);
		if (r < 0)
			return varve_error_set(err, r, "make %s/%s", store->path, first_dirs[i]);
	}
	r = make_file(store, "index.json", index_text, err);
	if (r == 0)
		r = sync_dirs(store, err);
	if (r == 0)
		r = make_file(store, "oci-layout", layout_text, err);
	return r;
}

static int check_layout(const struct varve_store *store, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *layout = NULL;
	const char *version = NULL;
	int r;

	r = json_read_file(store->dirfd, "oci-layout", &layout, err);
	if (r == 0)
		r = json_get_string(layout, "imageLayoutVersion", &version, err);
	if (r < 0) {
		varve_error_prefix(err, "%s", store->path);
		return r;
	}
	if (!str_starts(version, "1."))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "%s: image layout version %.32s is not known", store->path,
				       version);
	return 0;
}

/* All that a store that exists needs. -ENOENT: it has to be made first, or in part (the layout of
 * another tool). */
static int attach(struct varve_store *store, struct varve_error *err)
{
	int r;

	if (store->lock_fd < 0) {
		r = lock_file_open(store->dirfd, "lock/store", LOCK_SHARED, true, err);
		if (r < 0)
			return r;
		store->lock_fd = r;
	}
	r = check_layout(store, err);
	if (r < 0)
		return r;
	store->blobs_fd = openat(store->dirfd, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->blobs_fd < 0)
		return varve_error_set(err, -errno, "open %s/blobs/sha256", store->path);
	return 0;
}

static int open_directory(const char *path, struct varve_store *store, struct varve_error *err)
{
	int r = 0;

	store->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dirfd < 0 && errno == ENOENT) {
		r = fd_mkdir_p(AT_FDCWD, path, 0755);
		if (r == 0)
			store->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (r == 0 && store->dirfd < 0)
		r = -errno;
	if (r < 0)
		return varve_error_set(err, r, "open the store %s", path);
	store->path = realpath(path, NULL);
	if (!store->path)
		return varve_error_set(err, -errno, "find the absolute path of %s", path);
	return 0;
}

struct varve_store *store_alloc(void)
{
	struct varve_store *store = xcalloc(1, sizeof(*store));

	store->dirfd = store->lock_fd = store->blobs_fd = store->tmp_fd = -1;
	store->work = store;
	store_tree_find_boot(store);
	return store;
}

int varve_store_open(const char *path, struct varve_store **ret, struct varve_error *err)
{
	CLEANUP(varve_store_closep) struct varve_store *store = store_alloc();
	struct varve_error first = {0}; /* "it is not there" is no failure of ours */
	int r;

	r = open_directory(path, store, err);
	if (r < 0)
		return r;
	r = attach(store, &first);
	if (r == -ENOENT) {
		r = make_layout(store, err);
		if (r < 0)
			return store_failed(store, r, "a new store", err);
		r = attach(store, &first);
	}
	if (r < 0) {
		if (err)
			*err = first;
		return store_failed(store, r, "lock/store", err);
	}
	*ret = steal_ptr(&store);
	return 0;
}

void varve_store_close(struct varve_store *store)
{
	if (!store)
		return;
	store_drop_scratch(store);
	fd_close(&store->tmp_fd);
	fd_close(&store->blobs_fd);
	fd_close(&store->lock_fd);
	fd_close(&store->dirfd);
	digest_set_release(&store->verified);
	free(store->path);
	free(store);
}

void varve_store_closep(struct varve_store **store)
{
	varve_store_close(*store);
	*store = NULL;
}

const char *store_path(const struct varve_store *store)
{
	return store->path;
}

int store_reopen(struct varve_store *store, struct varve_error *err)
{
	CLEANUP(fd_close) int dirfd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int blobs = -1;

	if (dirfd < 0)
		return varve_error_set(err, -errno, "open the store %s", store->path);
	if (!store->is_scratch)
		blobs = openat(dirfd, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (blobs < 0 && !store->is_scratch)
		return varve_error_set(err, -errno, "open %s/blobs/sha256", store->path);
	fd_close(&store->dirfd);
	fd_close(&store->blobs_fd);
	fd_close(&store->tmp_fd);
	store->dirfd = steal_fd(&dirfd);
	store->blobs_fd = blobs;
	return store->work == store ? 0 : store_reopen(store->work, err);
}

int store_dirfd(const struct varve_store *store)
{
	return store->dirfd;
}

int store_open_dir(struct varve_store *store, const char *path, int *ret_fd,
		   struct varve_error *err)
{
	int fd = openat(store->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;

	if (r == -ENOENT) {
		r = fd_mkdir_p(store->dirfd, path, 0755);
		if (r == 0) {
			fd = openat(store->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			r = fd < 0 ? -errno : fd_sync_dir(store->dirfd);
		}
	}
	if (r < 0) {
		fd_close(&fd);
		varve_error_set(err, r, "open %s/%s", store->path, path);
		return store_failed(store, r, path, err);
	}
	*ret_fd = fd;
	return 0;
}

int store_lock(struct varve_store *store, const char *name, bool exclusive, bool wait, int *ret_fd,
	       struct varve_error *err)
{
	CLEANUP(fd_close) int dir = -1;
	int r;

	if (!path_is_clean(name) || strchr(name, '/') || str_equal(name, "store"))
		return varve_error_set(err, -EINVAL, "lock name \"%.100s\"", name);
	r = store_open_dir(store, "lock", &dir, err);
	if (r < 0)
		return r;
	r = lock_file_open(dir, name, exclusive ? LOCK_EXCLUSIVE : LOCK_SHARED, wait, err);
	if (r < 0)
		return store_failed(store, r, "a lock", err);
	*ret_fd = r;
	return 0;
}
