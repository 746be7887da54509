/* SPDX-License-Identifier: Apache-2.0
 * Copies of files inside the store: owners, modes, times, xattrs and hard links are kept. */
#include "build/step.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

enum { COPY_DEPTH = 512, COPY_XATTR = 64 << 10 };

/* A file with several names that was copied already. */
struct linked {
	dev_t dev;
	ino_t ino;
	char *path; /* relative to the top of the copy */
};

struct copy {
	const struct owners *owners;
	const struct strv *exclude;
	int top; /* of the copy; link targets are relative to it */
	struct linked *links;
	size_t link_count, link_alloc;
	unsigned depth;
	struct varve_error *err;
};

/* One file to copy. */
struct item {
	int from, to; /* directories */
	const char *name, *to_name; /* in them */
	const char *path; /* relative to the top of the copy */
};

static int copy_entry(struct copy *copy, const struct item *item);

static void copy_release(struct copy *copy)
{
	size_t i;

	for (i = 0; i < copy->link_count; i++)
		free(copy->links[i].path);
	free(copy->links);
	fd_close(&copy->top);
}

static bool is_excluded(const struct copy *copy, const char *path)
{
	size_t i, len;

	for (i = 0; copy->exclude && i < copy->exclude->count; i++) {
		const char *pattern = copy->exclude->items[i];

		len = strlen(pattern);
		if (str_ends(pattern, "/**") && strncmp(pattern, path, len - 3) == 0 &&
		    (path[len - 3] == '\0' || path[len - 3] == '/'))
			return true;
		if (fnmatch(pattern, path, FNM_PATHNAME) == 0 ||
		    (!strchr(pattern, '/') && fnmatch(pattern, path_base(path), 0) == 0))
			return true;
	}
	return false;
}

/* Overlay's own attributes are the kernel's business, and owners are given on their own. */
static bool is_content_xattr(const char *name)
{
	return !str_starts(name, "user.overlay.") && !str_starts(name, "trusted.") &&
	       strcmp(name, "security.selinux") != 0 && strcmp(name, OWNER_XATTR) != 0;
}

static int copy_xattrs(int from, int to)
{
	char names[4096], value[COPY_XATTR];
	ssize_t len = flistxattr(from, names, sizeof(names)), size;
	char *name;

	if (len < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (name = names; name < names + len; name += strlen(name) + 1) {
		if (!is_content_xattr(name))
			continue;
		size = fgetxattr(from, name, value, sizeof(value));
		if (size < 0 || fsetxattr(to, name, value, (size_t)size, 0) < 0)
			return -errno;
	}
	return 0;
}

/* Owner first: chown clears set-id bits and capabilities. Times last. */
static int copy_attributes(const struct copy *copy, const struct item *item, const struct stat *st,
			   int from, int to)
{
	const struct timespec times[2] = {st->st_mtim, st->st_mtim};
	int r = owner_write(copy->owners, item->to, item->to_name, st->st_uid, st->st_gid);

	if (r == 0 && fchmod(to, st->st_mode & 07777) < 0)
		r = -errno;
	if (r == 0)
		r = copy_xattrs(from, to);
	if (r == 0 && futimens(to, times) < 0)
		r = -errno;
	return r;
}

static int copy_file(const struct copy *copy, const struct item *item, const struct stat *st)
{
	CLEANUP(fd_close)
	int in = openat(item->from, item->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP(fd_close) int out = -1;
	int r;

	if (in < 0)
		return -errno;
	out = openat(item->to, item->to_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     0600);
	if (out < 0)
		return -errno;
	r = fd_copy(in, out, (uint64_t)st->st_size);
	return r < 0 ? r : copy_attributes(copy, item, st, in, out);
}

static int copy_symlink(const struct item *item)
{
	char target[4096];
	ssize_t len = readlinkat(item->from, item->name, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	return symlinkat(target, item->to, item->to_name) < 0 ? -errno : 0;
}

static int make_other(const struct item *item, const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFLNK:
		return copy_symlink(item);
	case S_IFIFO:
		return mkfifoat(item->to, item->to_name, 0600) < 0 ? -errno : 0;
	default:
		return owner_make_device(item->to, item->to_name, st->st_mode, st->st_rdev);
	}
}

static int copy_other(const struct copy *copy, const struct item *item, const struct stat *st)
{
	const struct timespec times[2] = {st->st_mtim, st->st_mtim};
	int r;

	if (S_ISSOCK(st->st_mode))
		return 0; /* no content of a layer */
	r = make_other(item, st);
	if (r == 0)
		r = owner_write(copy->owners, item->to, item->to_name, st->st_uid, st->st_gid);
	if (r == 0 && !S_ISLNK(st->st_mode) &&
	    fchmodat(item->to, item->to_name, st->st_mode & 07777, 0) < 0)
		r = -errno;
	if (r == 0 && utimensat(item->to, item->to_name, times, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	return r;
}

static int not_dot(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int copy_content(struct copy *copy, int from, int to, const char *path)
{
	struct dirent **names = NULL;
	int count, i, r = 0;

	if (++copy->depth > COPY_DEPTH)
		return -ELOOP;
	count = scandirat(from, ".", &names, not_dot, by_name);
	if (count < 0)
		return -errno;
	for (i = 0; i < count; i++) {
		CLEANUP(free_ptr) char *child = path_join(path, names[i]->d_name);

		if (r == 0 && !is_excluded(copy, child))
			r = copy_entry(copy, &(struct item){from, to, names[i]->d_name,
							    names[i]->d_name, child});
		free(names[i]);
	}
	free(names);
	copy->depth--;
	return r;
}

static int copy_directory(struct copy *copy, const struct item *item, const struct stat *st)
{
	CLEANUP(fd_close)
	int in = openat(item->from, item->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP(fd_close) int out = -1;
	int r;

	if (in < 0 || (mkdirat(item->to, item->to_name, 0700) < 0 && errno != EEXIST))
		return -errno;
	out = openat(item->to, item->to_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return -errno;
	r = copy_content(copy, in, out, item->path);
	return r < 0 ? r : copy_attributes(copy, item, st, in, out);
}

/* 1: the file is another name of one that was copied, and is linked now. */
static int copy_link(struct copy *copy, const struct item *item, const struct stat *st)
{
	struct linked *link;
	size_t i;

	if (st->st_nlink < 2)
		return 0;
	for (i = 0; i < copy->link_count; i++) {
		link = &copy->links[i];
		if (link->dev == st->st_dev && link->ino == st->st_ino)
			return linkat(copy->top, link->path, item->to, item->to_name, 0) < 0
				       ? -errno
				       : 1;
	}
	copy->links =
		array_grow(copy->links, copy->link_count, &copy->link_alloc, sizeof(*copy->links));
	copy->links[copy->link_count++] =
		(struct linked){.dev = st->st_dev, .ino = st->st_ino, .path = xstrdup(item->path)};
	return 0;
}

static int copy_entry(struct copy *copy, const struct item *item)
{
	struct stat st;
	int r;

	r = fstatat(item->from, item->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (r == 0)
		r = owner_read(copy->owners, item->from, item->name, &st);
	if (r < 0)
		; /* told below */
	else if (S_ISDIR(st.st_mode))
		return copy_directory(copy, item, &st);
	else if ((r = copy_link(copy, item, &st)) == 0)
		r = S_ISREG(st.st_mode) ? copy_file(copy, item, &st) : copy_other(copy, item, &st);
	if (r < 0 && copy->err && copy->err->code == 0)
		return varve_error_set(copy->err, r, "copy %s", item->path);
	return r < 0 ? r : 0;
}

static int copy_into(struct copy *copy, int from_dir, const char *from_name)
{
	CLEANUP(fd_close) int in = openat(from_dir, from_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return in < 0 ? -errno : copy_content(copy, in, copy->top, "");
}

int tree_copy(const struct owners *owners, int from_dir, const char *from_name, int to_dir,
	      const char *to_name, const struct strv *exclude, struct varve_error *err)
{
	CLEANUP(copy_release)
	struct copy copy = {.owners = owners, .exclude = exclude, .top = -1, .err = err};
	struct item item = {from_dir, to_dir, from_name, to_name, to_name};
	struct stat st;
	int r;

	if (fstatat(from_dir, from_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return varve_error_set(err, -errno, "copy %s", from_name);
	r = owner_read(owners, from_dir, from_name, &st);
	if (r < 0)
		return varve_error_set(err, r, "read owner of %s", from_name);
	if (!S_ISDIR(st.st_mode)) {
		copy.top = dup(to_dir);
		return copy_entry(&copy, &item);
	}
	if (mkdirat(to_dir, to_name, 0700) < 0 && errno != EEXIST)
		return varve_error_set(err, -errno, "make %s", to_name);
	copy.top = openat(to_dir, to_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (copy.top < 0)
		return varve_error_set(err, -errno, "open %s", to_name);
	/* Into a directory that is there already (the place itself): its attributes are not the
	 * copy's. */
	if (strcmp(to_name, ".") == 0)
		r = copy_into(&copy, from_dir, from_name);
	else
		r = copy_directory(&copy, &(struct item){from_dir, to_dir, from_name, to_name, ""},
				   &st);
	return r < 0 && err && err->code == 0 ? varve_error_set(err, r, "copy %s", from_name) : r;
}
