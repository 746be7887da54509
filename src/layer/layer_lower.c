/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_lower.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "layer/layer_walk.h"
#include "layer/layer_xattr.h"

enum { CHUNK = 256 << 10 };

void layer_lower_init(struct layer_lower *lower, int root, const struct owners *owners)
{
	*lower = (struct layer_lower){.root = root, .owners = owners, .fd = -1};
}

void layer_lower_release(struct layer_lower *lower)
{
	fd_close(&lower->fd);
	buf_release(&lower->directory);
	free(lower->buffer);
}

/* Component by component: a symlink below would lead to somewhere else. -ENOENT: no directory. */
static int open_directory(int root, const char *path, size_t len)
{
	CLEANUP(free_ptr) char *copy = xstrndup(path, len);
	CLEANUP(fd_close) int fd = -1;
	char *rest = copy, *name;

	fd = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && (name = strsep(&rest, "/"))) {
		int next;

		if (*name == '\0')
			continue;
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		fd_close(&fd);
		fd = next;
	}
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? -ENOENT : -errno;
	return steal_fd(&fd);
}

static int enter(struct layer_lower *lower, const char *path, struct varve_error *err)
{
	size_t len = path_dir_len(path);

	if (lower->known && lower->directory.len == len &&
	    (len == 0 || memcmp(lower->directory.data, path, len) == 0))
		return 0;
	fd_close(&lower->fd);
	lower->known = false;
	buf_reset(&lower->directory);
	buf_add(&lower->directory, path, len);
	if (lower->root >= 0) {
		lower->fd = open_directory(lower->root, path, len);
		if (lower->fd < 0 && lower->fd != -ENOENT)
			return varve_error_set(err, lower->fd, "open the directory of %s below",
					       path);
	}
	lower->known = true;
	return 0;
}

int layer_lower_find(struct layer_lower *lower, const char *path, struct stat *ret_st,
		     int *ret_dirfd, struct varve_error *err)
{
	struct stat st;
	int r = enter(lower, path, err);

	if (r < 0)
		return r;
	if (lower->fd < 0)
		return 0;
	if (fstatat(lower->fd, path_base(path), &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return varve_error_set(err, -errno, "stat %s below", path);
	}
	r = owner_read(lower->owners, lower->fd, path_base(path), &st);
	if (r < 0)
		return varve_error_set(err, r, "read owner of %s below", path);
	if (layer_is_whiteout(&st))
		return 0;
	*ret_st = st;
	if (ret_dirfd)
		*ret_dirfd = lower->fd;
	return 1;
}

/* The two versions of one path. */
struct pair {
	const char *name;
	int upper_dir, lower_dir;
	int upper, lower; /* opened; -1 while not */
};

static void pair_release(struct pair *p)
{
	fd_close(&p->upper);
	fd_close(&p->lower);
}

static int pair_open(struct pair *p, int flags)
{
	flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	p->upper = openat(p->upper_dir, p->name, flags);
	if (p->upper < 0)
		return -errno;
	p->lower = openat(p->lower_dir, p->name, flags);
	return p->lower < 0 ? -errno : 0;
}

static int same_xattrs(const struct pair *p)
{
	CLEANUP(layer_xattrs_release) struct layer_xattrs upper = LAYER_XATTRS_INIT;
	CLEANUP(layer_xattrs_release) struct layer_xattrs lower = LAYER_XATTRS_INIT;
	int r = layer_xattrs_read(p->upper, LAYER_XATTR_TREE, &upper);

	if (r < 0)
		return r;
	r = layer_xattrs_read(p->lower, LAYER_XATTR_VIEW, &lower);
	return r < 0 ? r : layer_xattrs_equal(&upper, &lower);
}

static int same_content(struct layer_lower *lower, const struct pair *p)
{
	unsigned char *a, *b;

	if (!lower->buffer)
		lower->buffer = xmalloc((size_t)2 * CHUNK);
	a = lower->buffer;
	b = lower->buffer + CHUNK;
	for (;;) {
		ssize_t n = fd_read_full(p->upper, a, CHUNK), m;

		if (n < 0)
			return (int)n;
		m = fd_read_full(p->lower, b, CHUNK);
		if (m < 0)
			return (int)m;
		if (n != m || memcmp(a, b, (size_t)n) != 0)
			return 0;
		if (n < CHUNK)
			return 1;
	}
}

static int same_target(const struct pair *p)
{
	char a[LAYER_PATH_MAX], b[LAYER_PATH_MAX];
	ssize_t n = readlinkat(p->upper_dir, p->name, a, sizeof(a)), m;

	if (n < 0)
		return -errno;
	m = readlinkat(p->lower_dir, p->name, b, sizeof(b));
	if (m < 0)
		return -errno;
	return n == m && memcmp(a, b, (size_t)n) == 0;
}

static bool same_stat(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
	       (!S_ISREG(a->st_mode) || a->st_size == b->st_size) &&
	       (!(S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) || a->st_rdev == b->st_rdev);
}

static int same_inode(struct layer_lower *lower, struct pair *p, const struct stat *st)
{
	int r;

	if (S_ISLNK(st->st_mode))
		return same_target(p);
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return 1;
	r = pair_open(p, S_ISDIR(st->st_mode) ? O_DIRECTORY : 0);
	if (r < 0)
		return r;
	r = same_xattrs(p);
	return r > 0 && S_ISREG(st->st_mode) ? same_content(lower, p) : r;
}

int layer_lower_equals(struct layer_lower *lower, const char *path, int dirfd,
		       const struct stat *st, struct stat *ret_lower_st, struct varve_error *err)
{
	CLEANUP(pair_release)
	struct pair p = {.name = path_base(path), .upper_dir = dirfd, .upper = -1, .lower = -1};
	struct stat below = {.st_size = 0};
	int r = layer_lower_find(lower, path, &below, &p.lower_dir, err);

	if (r <= 0)
		return r;
	if (!same_stat(st, &below))
		return 0;
	r = same_inode(lower, &p, st);
	if (r < 0)
		return varve_error_set(err, r, "compare %s with the version below", path);
	if (r > 0)
		*ret_lower_st = below;
	return r;
}
