/* SPDX-License-Identifier: Apache-2.0
 * A job is tmp/NAME/ and tmp/NAME.lock. The lock is taken before the directory is made and removed
 * after it, so that a directory without a lock file is always garbage. */
#include "store/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/lock_file.h"
#include "base/strv.h"

enum { LOCK_NAME = 56 };

static const char *lock_name(const char *job, char name[LOCK_NAME])
{
	snprintf(name, LOCK_NAME, "%.48s.lock", job);
	return name;
}

/* Locks tmp/NAME.lock; -EAGAIN when a sweep took it for a dead one's before. */
static int lock_job(int tmp, const char *name, int *ret_fd, struct varve_error *err)
{
	char lock[LOCK_NAME];
	CLEANUP(fd_close) int fd = -1;
	struct stat st;

	fd = lock_file_open(tmp, lock_name(name, lock), LOCK_EXCLUSIVE, false, err);
	if (fd == -EWOULDBLOCK)
		return -EAGAIN;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return -EAGAIN;
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int make_job(int tmp, struct store_job *job, struct varve_error *err)
{
	char random[40], lock[LOCK_NAME];
	int r = -EAGAIN;

	for (int tries = 0; r == -EAGAIN && tries < 100; tries++) {
		tempfile_name(random);
		snprintf(job->name, sizeof(job->name), "job-%s", random + strlen(".varve-"));
		r = lock_job(tmp, job->name, &job->lock_fd, err);
	}
	if (r < 0)
		return r == -EAGAIN ? varve_error_set(err, r, "lock a directory for a job") : r;
	if (mkdirat(tmp, job->name, 0755) == 0)
		job->dirfd = openat(tmp, job->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (job->dirfd >= 0)
		return 0;
	r = varve_error_set(err, -errno, "make a directory for a job");
	(void)unlinkat(tmp, job->name, AT_REMOVEDIR);
	(void)unlinkat(tmp, lock_name(job->name, lock), 0);
	return r;
}

int store_job_begin(struct varve_store *store, struct store_job *ret, struct varve_error *err)
{
	CLEANUP(store_job_release) struct store_job job = STORE_JOB_INIT;
	CLEANUP(fd_close) int tmp = -1;
	int r;

	r = store_open_dir(store, "tmp", &tmp, err);
	if (r < 0)
		return r;
	r = make_job(tmp, &job, err);
	if (r < 0)
		return store_failed(store, r, "a job's directory", err);
	job.path = xasprintf("%s/tmp/%s", store->path, job.name);
	*ret = job;
	job = (struct store_job)STORE_JOB_INIT;
	return 0;
}

void store_job_release(struct store_job *job)
{
	fd_close(&job->dirfd);
	fd_close(&job->lock_fd);
	free(job->path);
	*job = (struct store_job)STORE_JOB_INIT;
}

/* The directory first: see above. */
static int remove_job(int tmp, const char *name)
{
	char lock[LOCK_NAME];
	int r = fd_remove_tree(tmp, name);

	if (r == 0 && unlinkat(tmp, lock_name(name, lock), 0) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int store_job_remove(struct varve_store *store, struct store_job *job)
{
	CLEANUP(fd_close) int tmp = openat(store->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = tmp < 0 ? -errno : 0;

	if (r == 0 && job->name[0])
		r = remove_job(tmp, job->name);
	store_job_release(job);
	return r;
}

/* --- what the dead left ------------------------------------------------------------------------
 */

/* Opens NAME and makes sure that nobody holds it; -1 where it is held, absent or no file. A shared
 * lock is enough against owners, who hold theirs alone, and can be had on a blob, which nobody may
 * write to, also over NFS (lock_file.h). Two sweeps at once remove the same. */
static int try_lock(int tmp, const char *name)
{
	int fd = openat(tmp, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0)
		fd_close(&fd);
	return fd;
}

/* Removes NAME, an entry of tmp/, unless its owner lives. Returns 1 when it did (only_look: would).
 */
static int sweep_entry(int tmp, const char *name, bool only_look)
{
	char other[LOCK_NAME];
	CLEANUP(fd_close) int fd = -1;
	struct stat st;
	int r;

	if (fstatat(tmp, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISDIR(st.st_mode)) { /* with a lock file: a job, and that file's turn */
		if (strlen(name) < LOCK_NAME - strlen(".lock") &&
		    faccessat(tmp, lock_name(name, other), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
	} else if (S_ISREG(st.st_mode)) {
		fd = try_lock(tmp, name);
		if (fd < 0)
			return 0;
	}
	if (only_look)
		return 1;
	if (str_ends(name, ".lock") && strlen(name) < LOCK_NAME) {
		snprintf(other, sizeof(other), "%.*s", (int)(strlen(name) - strlen(".lock")), name);
		r = remove_job(tmp, other);
	} else {
		r = fd_remove_tree(tmp, name);
	}
	return r < 0 ? r : 1;
}

static bool needs_sweep(const struct varve_store *store)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(fd_close) int tmp = -1;

	if (store_list(store, "tmp", &names) < 0 || names.count == 0)
		return false;
	tmp = openat(store->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; tmp >= 0 && i < names.count; i++)
		if (sweep_entry(tmp, names.items[i], true) > 0)
			return true;
	return false;
}

bool store_needs_sweep(struct varve_store *store)
{
	return needs_sweep(store) || (store->work != store && needs_sweep(store->work));
}

static int sweep(const struct varve_store *store, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(fd_close) int tmp = -1;
	int r, result = 0;

	if (store_list(store, "tmp", &names) < 0 || names.count == 0)
		return 0;
	tmp = openat(store->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tmp < 0)
		return varve_error_set(err, -errno, "open %s/tmp", store->path);
	for (size_t i = 0; i < names.count; i++) {
		r = sweep_entry(tmp, names.items[i], false);
		if (r < 0 && result == 0)
			result = varve_error_set(err, r,
						 "remove %s/tmp/%.100s, left by a dead build",
						 store->path, names.items[i]);
	}
	return result;
}

int store_sweep(struct varve_store *store, struct varve_error *err)
{
	int r = sweep(store, err);
	int second = store->work == store ? 0 : sweep(store->work, r < 0 ? NULL : err);

	return r < 0 ? r : second;
}
