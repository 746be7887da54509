/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source_listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "source/source_ignore.h"
#include "source/source_stat.h"

/* A directory being read. */
struct place {
	int fd; /* taken by add_directory */
	unsigned depth;
	struct buf *path; /* of the entry at hand; every level restores it */
};

static int add_directory(struct source_listing *listing, const struct place *place,
			 struct varve_error *err);

static void close_stream(DIR **stream)
{
	if (*stream)
		(void)closedir(*stream);
}

static int add_member(struct source_listing *listing, const char *path, const char *value,
		      struct varve_error *err)
{
	if (json_object_size(listing->files) >= SOURCE_LISTING_ENTRIES)
		return varve_error_set(err, -VARVE_E_LIMIT, "more than %d files, at %s",
				       SOURCE_LISTING_ENTRIES, path);
	/* Fails for what is not UTF-8. */
	if (json_object_set_new(listing->files, path, json_string(value)) == 0)
		return 0;
	return varve_error_set(err, -VARVE_E_FORMAT,
			       "%s: the name, or the target of the link, is not UTF-8", path);
}

static int add_link(struct source_listing *listing, int dirfd, const char *name, const char *path,
		    struct varve_error *err)
{
	char value[PATH_MAX + 8] = "120000:";
	const size_t start = strlen(value), room = sizeof(value) - 1 - start;
	ssize_t len = readlinkat(dirfd, name, value + start, room);

	if (len < 0)
		return errno == EINVAL || errno == ENOENT
			       ? source_stat_changed(path, err)
			       : varve_error_set(err, -errno, "read the link %s", path);
	return add_member(listing, path, value, err);
}

static int add_regular(struct source_listing *listing, int dirfd, const char *name,
		       const struct stat *st, const char *path, struct varve_error *err)
{
	char value[8 + VARVE_DIGEST_HEX], hex[VARVE_DIGEST_HEX];
	struct varve_digest digest;
	int r = source_stat_digest(listing->cache, dirfd, name, st, &digest);

	if (r == -ESTALE)
		return source_stat_changed(path, err);
	if (r < 0)
		return varve_error_set(err, r, "read %s", path);
	snprintf(value, sizeof(value), "%s:%s", st->st_mode & S_IXUSR ? "100755" : "100644",
		 varve_digest_hex(&digest, hex));
	return add_member(listing, path, value, err);
}

static int refuse(mode_t mode, const char *path, struct varve_error *err)
{
	const char *what = S_ISSOCK(mode) ? "socket" : S_ISFIFO(mode) ? "fifo" : "device";

	varve_error_set(err, -VARVE_E_FORMAT, "%s is a %s, which no image can hold", path, what);
	varve_error_hint(err, "leave it out with the ignore file of the source");
	return -VARVE_E_FORMAT;
}

static int add_entry(struct source_listing *listing, int dirfd, const char *name,
		     const struct stat *st, const char *path, struct varve_error *err)
{
	if (S_ISREG(st->st_mode))
		return add_regular(listing, dirfd, name, st, path, err);
	if (S_ISLNK(st->st_mode))
		return add_link(listing, dirfd, name, path, err);
	return refuse(st->st_mode, path, err);
}

static int stat_entry(int dirfd, const char *name, const char *path, struct stat *ret,
		      struct varve_error *err)
{
	if (fstatat(dirfd, name, ret, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return errno == ENOENT ? source_stat_changed(path, err)
			       : varve_error_set(err, -errno, "examine %s", path);
}

int source_listing_add_file(struct source_listing *listing, int dirfd, const char *name,
			    const char *path, struct varve_error *err)
{
	struct stat st;
	int r = stat_entry(dirfd, name, path, &st, err);

	return r < 0 ? r : add_entry(listing, dirfd, name, &st, path, err);
}

/* --- directories ---------------------------------------------------------------------------------
 */

static int enter_directory(struct source_listing *listing, const struct place *parent,
			   const char *name, struct varve_error *err)
{
	const char *path = buf_text(parent->path);
	CLEANUP(fd_close)
	int fd = openat(parent->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct place place = {.depth = parent->depth + 1, .path = parent->path};
	size_t before = json_object_size(listing->files);
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? source_stat_changed(path, err)
			       : varve_error_set(err, -errno, "open %s", path);
	if (place.depth > SOURCE_LISTING_DEPTH)
		return varve_error_set(err, -VARVE_E_LIMIT, "more than %d directories deep: %s",
				       SOURCE_LISTING_DEPTH, path);
	place.fd = steal_fd(&fd);
	r = add_directory(listing, &place, err);
	if (r < 0 || json_object_size(listing->files) != before)
		return r;
	return add_member(listing, buf_text(parent->path), "040000:", err);
}

/* type: of the name, as readdir has it; that saves looking at each directory twice. */
static int add_child(struct source_listing *listing, const struct place *place, const char *name,
		     unsigned char type, struct varve_error *err)
{
	const char *path = buf_text(place->path);
	struct stat st = {.st_mode = S_IFDIR};
	int r = 0;

	if (str_equal(path, listing->without))
		return 0;
	if (place->path->len >= SOURCE_LISTING_PATH)
		return varve_error_set(err, -VARVE_E_LIMIT, "a path of more than %d bytes: %s",
				       SOURCE_LISTING_PATH - 1, path);
	if (type != DT_DIR)
		r = stat_entry(place->fd, name, path, &st, err);
	if (r < 0 || source_ignore_matches(listing->ignore, path, S_ISDIR(st.st_mode)))
		return r;
	if (S_ISDIR(st.st_mode))
		return enter_directory(listing, place, name, err);
	return add_entry(listing, place->fd, name, &st, path, err);
}

/* Adds the entry's name for the time that it is looked at. */
static int add_name(struct source_listing *listing, const struct place *place,
		    const struct dirent *entry, struct varve_error *err)
{
	const char *name = entry->d_name;
	size_t len = place->path->len;
	int r;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, ".git") == 0)
		return 0;
	if (len)
		buf_addc(place->path, '/');
	buf_addstr(place->path, name);
	r = add_child(listing, place, name, entry->d_type, err);
	place->path->len = len;
	place->path->data[len] = '\0';
	return r;
}

static int add_directory(struct source_listing *listing, const struct place *place,
			 struct varve_error *err)
{
	CLEANUP(fd_close) int fd = place->fd;
	CLEANUP(close_stream) DIR *stream = fdopendir(fd);
	int r = 0;

	if (!stream)
		return varve_error_set(err, -errno, "read %s", buf_text(place->path));
	(void)steal_fd(&fd);
	while (r == 0) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(stream);
		if (!entry)
			return errno ? varve_error_set(err, -errno, "read %s",
						       buf_text(place->path))
				     : 0;
		r = add_name(listing, place, entry, err);
	}
	return r;
}

int source_listing_add_directory(struct source_listing *listing, int fd, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT;
	/* Opened anew: the stream closes it, and moves its offset. */
	struct place place = {.path = &path,
			      .fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};

	if (place.fd < 0)
		return varve_error_set(err, -errno, "open the directory");
	return add_directory(listing, &place, err);
}
