/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"

int store_failed(const struct varve_store *store, int r, const char *what, struct varve_error *err)
{
	if ((r == -ENOSPC || r == -EDQUOT) && store->is_scratch) {
		varve_error_set(err, r, "the scratch directory %s is full, while writing %s",
				store->path, what);
		varve_error_hint(err, "free some with varve gc --trees and this --scratch, or name "
				      "another");
	} else if (r == -ENOSPC || r == -EDQUOT) {
		varve_error_set(err, r, "the store %s is full, while writing %s", store->path,
				what);
		varve_error_hint(err, "free some with: varve gc (varve du says where it went)");
	}
	return r;
}

static int open_tmp(struct varve_store *store, struct varve_error *err)
{
	if (store->tmp_fd >= 0)
		return 0;
	return store_open_dir(store, "tmp", &store->tmp_fd, err);
}

int store_temp_begin(struct varve_store *store, mode_t mode, struct tempfile *ret,
		     struct varve_error *err)
{
	struct tempfile t = TEMPFILE_INIT;
	struct stat st;
	int r = open_tmp(store, err);

	/* A sweep may come between creating and locking and take the file for a dead one's. */
	for (int tries = 0; r == 0 && tries < 100; tries++) {
		r = tempfile_begin(store->tmp_fd, mode, &t, err);
		if (r < 0)
			break;
		if (flock(t.fd, LOCK_EX | LOCK_NB) == 0 && fstat(t.fd, &st) == 0 &&
		    st.st_nlink > 0) {
			*ret = t;
			return 0;
		}
		tempfile_abort(&t);
	}
	if (r == 0)
		r = varve_error_set(err, -EAGAIN, "lock a temporary file in %s/tmp", store->path);
	return r;
}

int store_temp_commit(struct tempfile *t, int to_dirfd, const char *name, bool replace, bool sync,
		      struct varve_error *err)
{
	/* The lock goes with the last descriptor, and tempfile_commit closes its own before the
	 * rename: without this one a sweep could come between the two. */
	CLEANUP(fd_close) int lock = fcntl(t->fd, F_DUPFD_CLOEXEC, 0);

	if (lock < 0)
		return varve_error_set(err, -errno, "keep the lock of %s", name);
	return tempfile_commit(t, to_dirfd, name, replace, sync, err);
}

int store_put_file(struct varve_store *store, const struct store_file *file,
		   struct varve_error *err)
{
	CLEANUP(tempfile_abort) struct tempfile t = TEMPFILE_INIT;
	CLEANUP(fd_close) int dir = -1;
	CLEANUP(free_ptr)
	char *what = path_join(str_equal(file->dir, ".") ? "" : file->dir, file->name);
	int r;

	r = store_open_dir(store, file->dir, &dir, err);
	if (r < 0)
		return r;
	r = store_temp_begin(store, 0644, &t, err);
	if (r < 0)
		return store_failed(store, r, what, err);
	r = fd_write_all(t.fd, file->data, file->len);
	if (r < 0)
		varve_error_set(err, r, "write %s/%s", store->path, what);
	else
		r = store_temp_commit(&t, dir, file->name, true, file->sync, err);
	return store_failed(store, r, what, err);
}

bool store_digest_of_name(const char *name, struct varve_digest *ret)
{
	char hex[VARVE_DIGEST_HEX] = "";
	size_t len = strcspn(name, ".");

	if (len != VARVE_DIGEST_HEX - 1)
		return false;
	memcpy(hex, name, len);
	return varve_digest_parse_hex(hex, ret) == 0;
}

void store_touch(int fd, const struct stat *st)
{
	if (store_age(st) >= STORE_DAY)
		(void)futimens(fd, NULL);
}

uint64_t store_age(const struct stat *st)
{
	time_t now = time(NULL);

	return now > st->st_mtim.tv_sec ? (uint64_t)(now - st->st_mtim.tv_sec) : 0;
}

int store_list(const struct varve_store *store, const char *path, struct strv *ret)
{
	int fd = openat(store->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = dir ? 0 : -errno;

	if (!dir) {
		fd_close(&fd);
		return r;
	}
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
			strv_add(ret, entry->d_name);
	(void)closedir(dir);
	strv_sort(ret);
	return 0;
}

int store_discard(struct varve_store *store, const char *path, struct varve_error *err)
{
	char random[40], dead[64];
	int r = open_tmp(store, err);

	if (r < 0)
		return r;
	tempfile_name(random);
	snprintf(dead, sizeof(dead), "dead-%s", random + strlen(".varve-"));
	if (renameat(store->dirfd, path, store->tmp_fd, dead) == 0)
		r = fd_remove_tree(store->tmp_fd, dead);
	else if (errno == ENOSPC || errno == EDQUOT)
		r = fd_remove_tree(store->dirfd, path); /* a full disk: better than nothing */
	else
		r = errno == ENOENT ? 0 : -errno;
	if (r < 0)
		varve_error_set(err, r, "remove %s/%s", store->path, path);
	return r;
}
