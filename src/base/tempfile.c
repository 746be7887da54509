/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tempfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>
#include <varve/error.h>
#include "base/cleanup.h"
#include "base/fd.h"

void tempfile_name(char name[40])
{
	uint64_t random;

	while (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		if (errno != EINTR)
			abort();
	(void)snprintf(name, 40, ".varve-%016" PRIx64, random);
}

int tempfile_begin(int dirfd, mode_t mode, struct tempfile *ret, struct varve_error *err)
{
	struct tempfile t = {dirfd, -1, ""};

	for (int attempt = 0; attempt < 8; attempt++) {
		tempfile_name(t.name);
		t.fd = openat(dirfd, t.name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			      mode);
		if (t.fd >= 0) {
			*ret = t;
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return varve_error_set(err, -errno, "create temporary file");
}

/* Gives the file its final name; 1 when another one had it first. */
static int move_without_replacing(const struct tempfile *t, int to_dirfd, const char *name)
{
	if (renameat2(t->dirfd, t->name, to_dirfd, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST)
		return 1;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* Not every file system knows the flag; all that lack it know links. */
	if (linkat(t->dirfd, t->name, to_dirfd, name, 0) < 0)
		return errno == EEXIST ? 1 : -errno;
	(void)unlinkat(t->dirfd, t->name, 0);
	return 0;
}

static int move(const struct tempfile *t, int to_dirfd, const char *name, bool replace)
{
	if (!replace)
		return move_without_replacing(t, to_dirfd, name);
	return renameat(t->dirfd, t->name, to_dirfd, name) < 0 ? -errno : 0;
}

int tempfile_commit(struct tempfile *t, int to_dirfd, const char *name, bool replace, bool sync,
		    struct varve_error *err)
{
	int r;

	if (sync && fsync(t->fd) < 0)
		return varve_error_set(err, -errno, "write %s", name);
	/* Some file systems report a failed write no earlier than here. */
	r = close(steal_fd(&t->fd)) < 0 ? -errno : 0;
	if (r < 0)
		return varve_error_set(err, r, "write %s", name);
	r = move(t, to_dirfd, name, replace);
	if (r < 0)
		return varve_error_set(err, r, "rename to %s", name);
	if (r == 1)
		(void)unlinkat(t->dirfd, t->name, 0);
	t->name[0] = '\0';
	/* Also when another writer was first: it may not have come to its own fsync yet. */
	r = sync ? fd_sync_dir(to_dirfd) : 0;
	if (r < 0)
		return varve_error_set(err, r, "sync the directory of %s", name);
	return 0;
}

void tempfile_abort(struct tempfile *t)
{
	int saved = errno;

	if (!t)
		return;
	fd_close(&t->fd);
	if (t->name[0])
		(void)unlinkat(t->dirfd, t->name, 0);
	t->name[0] = '\0';
	errno = saved;
}

int tempfile_write(int dirfd, const char *name, const void *data, size_t len, bool sync,
		   struct varve_error *err)
{
	CLEANUP(tempfile_abort) struct tempfile t = TEMPFILE_INIT;
	int r;

	r = tempfile_begin(dirfd, 0644, &t, err);
	if (r < 0) {
		varve_error_prefix(err, "write %s", name);
		return r;
	}
	r = fd_write_all(t.fd, data, len);
	if (r < 0)
		return varve_error_set(err, r, "write %s", name);
	return tempfile_commit(&t, dirfd, name, true, sync, err);
}
