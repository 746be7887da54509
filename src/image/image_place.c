/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/lock_file.h"
#include "base/tempfile.h"
#include "store/store.h"

static void close_dir(DIR **dir)
{
	int saved = errno;

	if (*dir)
		(void)closedir(*dir);
	errno = saved;
}

/* 1: no entries but our own temporary ones, 0: some, or -errno. */
static int is_empty_dir(int dirfd)
{
	CLEANUP(fd_close) int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return -errno;
	(void)steal_fd(&fd);
	errno = 0;
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strncmp(entry->d_name, ".varve-", strlen(".varve-")) != 0)
			return 0;
	}
	return errno ? -errno : 1;
}

static int check_marker(int dirfd, const char *marker, struct varve_error *err)
{
	int r;

	if (faccessat(dirfd, marker, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = is_empty_dir(dirfd);
	if (r < 0)
		return varve_error_set(err, r, "read the directory");
	if (r > 0)
		return 0;
	return varve_error_set(err, -VARVE_E_USAGE,
			       "the directory has files but no \"%s\": it is no image; choose "
			       "another or an empty one",
			       marker);
}

void image_place_close(struct image_place *place)
{
	lock_directory_drop(place->fd, &place->lock);
	fd_close(&place->fd);
}

int image_place_open(const char *path, const char *marker, struct image_place *ret,
		     struct varve_error *err)
{
	CLEANUP(image_place_close) struct image_place place = IMAGE_PLACE_INIT;
	int r;

	r = fd_mkdir_p(AT_FDCWD, path, 0755);
	if (r < 0)
		return varve_error_set(err, r, "make the directory");
	place.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place.fd < 0)
		return varve_error_set(err, -errno, "open the directory");
	r = lock_directory(place.fd, &place.lock);
	if (r < 0)
		return varve_error_set(err, r, "lock the directory");
	r = check_marker(place.fd, marker, err);
	if (r < 0)
		return r;
	*ret = (struct image_place){steal_fd(&place.fd), steal_fd(&place.lock)};
	return 0;
}

static bool is_there(int dirfd, const char *name, uint64_t size)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == size;
}

/* A file of its own: reflinked where the file system can. */
static int copy(int from, const struct varve_descriptor *blob, int dirfd, const char *name,
		struct varve_error *err)
{
	CLEANUP(tempfile_abort) struct tempfile t = TEMPFILE_INIT;
	int r = tempfile_begin(dirfd, 0644, &t, err);

	if (r < 0)
		return r;
	r = fd_copy(from, t.fd, blob->size);
	if (r < 0)
		return varve_error_set(err, r, "copy blob sha256:%s", name);
	return tempfile_commit(&t, dirfd, name, true, true, err);
}

/* Whether the file system shares content between files: then no two names need to share a file. To
 * ask takes a file, and to make and remove one for each blob costs ext4 more the more there were.
 */
static bool reflink(int from, int dirfd, const char *name, bool *no_reflinks,
		    struct varve_error *err, int *ret)
{
	CLEANUP(tempfile_abort) struct tempfile t = TEMPFILE_INIT;

	if (*no_reflinks || tempfile_begin(dirfd, 0644, &t, NULL) < 0)
		return false;
	if (ioctl(t.fd, FICLONE, from) < 0) {
		*no_reflinks = true;
		return false;
	}
	*ret = tempfile_commit(&t, dirfd, name, true, true, err);
	return true;
}

/* The bytes of a linked file are on the disk already. A file of another size may be in the way. */
static bool link_blob(struct varve_store *store, int dirfd, const char *name)
{
	if (linkat(store_blobs_fd(store), name, dirfd, name, 0) == 0)
		return true;
	return errno == EEXIST && unlinkat(dirfd, name, 0) == 0 &&
	       linkat(store_blobs_fd(store), name, dirfd, name, 0) == 0;
}

int image_place_blob(struct varve_store *store, const struct varve_descriptor *blob, int dirfd,
		     bool *no_reflinks, struct varve_error *err)
{
	CLEANUP(fd_close) int from = -1;
	char hex[VARVE_DIGEST_HEX];
	int r;

	varve_digest_hex(&blob->digest, hex);
	if (is_there(dirfd, hex, blob->size))
		return 0;
	r = store_blob_open_whole(store, &blob->digest, &from, err);
	if (r < 0)
		return r;
	if (reflink(from, dirfd, hex, no_reflinks, err, &r))
		return r;
	return link_blob(store, dirfd, hex) ? 0 : copy(from, blob, dirfd, hex, err);
}

int image_place_sync(int dirfd, struct varve_error *err)
{
	int r = fd_sync_dir(dirfd);

	return r < 0 ? varve_error_set(err, r, "sync the directory") : 0;
}

int image_place_text(int dirfd, const char *name, const char *text, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf old = BUF_INIT;
	size_t len = strlen(text);
	int r = fd_read_file(dirfd, name, len + 1, &old, NULL);

	if (r >= 0 && old.len == len && memcmp(old.data, text, len) == 0)
		return 0;
	return tempfile_write(dirfd, name, text, len, true, err);
}
