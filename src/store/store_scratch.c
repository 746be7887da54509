/* SPDX-License-Identifier: Apache-2.0
 * A scratch directory is a second, smaller store: DIR/varve-UID with lock/, tmp/, trees/ and
 * failed/. It belongs to one account of one machine, and nothing in the store tells of it. */
#include "store/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/lock_file.h"

static const char *const first_dirs[] = {"lock", "tmp", "trees"};

struct varve_store *store_work(struct varve_store *store)
{
	return store->work;
}

bool store_is_scratch(const struct varve_store *store)
{
	return store->is_scratch;
}

/* In a directory for everybody another account may have been there first. */
static int check_own(const struct varve_store *scratch, struct varve_error *err)
{
	struct stat st;

	if (fstat(scratch->dirfd, &st) < 0)
		return varve_error_set(err, -errno, "look at %s", scratch->path);
	if (st.st_uid == geteuid() && fchmod(scratch->dirfd, 0700) == 0)
		return 0;
	varve_error_set(err, -VARVE_E_HOST, "the scratch directory %s belongs to another account",
			scratch->path);
	varve_error_hint(err, "name another with --scratch or VARVE_SCRATCH");
	return -VARVE_E_HOST;
}

static int open_own(const char *path, struct varve_store *scratch, struct varve_error *err)
{
	CLEANUP(free_ptr) char *place = realpath(path, NULL);
	char name[32];
	CLEANUP(fd_close) int dir = -1;

	if (!place || (dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return varve_error_set(err, -errno, "open the scratch directory %s", path);
	(void)snprintf(name, sizeof(name), "varve-%u", (unsigned)geteuid());
	scratch->path = xasprintf("%s/%s", place, name);
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return varve_error_set(err, -errno, "make %s", scratch->path);
	scratch->dirfd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (scratch->dirfd < 0)
		return varve_error_set(err, -errno, "open %s", scratch->path);
	return check_own(scratch, err);
}

static int furnish(struct varve_store *scratch, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(first_dirs) && r == 0; i++)
		r = fd_mkdir_p(scratch->dirfd, first_dirs[i], 0755);
	if (r < 0) {
		varve_error_set(err, r, "make directories in %s", scratch->path);
		return store_failed(scratch, r, "its directories", err);
	}
	r = lock_file_open(scratch->dirfd, "lock/store", LOCK_SHARED, true, err);
	if (r < 0)
		return r;
	scratch->lock_fd = r;
	return 0;
}

int store_use_scratch(struct varve_store *store, const char *path, struct varve_error *err)
{
	CLEANUP(varve_store_closep) struct varve_store *scratch = store_alloc();
	int r;

	scratch->is_scratch = true;
	r = open_own(path, scratch, err);
	if (r == 0)
		r = furnish(scratch, err);
	if (r < 0)
		return r > -1024 && r != -ENOSPC && r != -EDQUOT ? -VARVE_E_HOST : r;
	store_drop_scratch(store);
	store->work = steal_ptr(&scratch);
	return 0;
}

void store_drop_scratch(struct varve_store *store)
{
	if (store->work != store)
		varve_store_close(store->work);
	store->work = store;
}
