/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_place_parent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "layer/layer.h"
#include "layer/layer_walk.h"
#include "layer/layer_xattr.h"

static void forget(struct place_parent *p)
{
	free(p->asked);
	free(p->real);
	p->asked = p->real = NULL;
	fd_close(&p->fd);
}

void place_parent_release(struct place_parent *p)
{
	forget(p);
	place_dirs_release(&p->dirs);
}

int place_open_child(int fd, const char *name)
{
	int child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return child < 0 ? -errno : child;
}

/* A parent without an entry of its own. Over a whiteout it hides all below, as the whiteout did. */
static int make_parent(struct place_parent *p, int dirfd, const char *name, const char *real)
{
	CLEANUP(fd_close) int fd = -1;
	struct stat st;
	bool opaque = fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	int r = opaque && p->owners ? owner_read(p->owners, dirfd, name, &st) : 0;

	if (r < 0)
		return r;
	if (opaque && !layer_is_whiteout(&st))
		return -ENOTDIR;
	if ((opaque && unlinkat(dirfd, name, 0) < 0) || mkdirat(dirfd, name, 0755) < 0)
		return -errno;
	r = p->owned ? owner_write(p->owners, dirfd, name, 0, 0) : 0;
	if (r < 0)
		return r;
	fd = place_open_child(dirfd, name);
	if (fd < 0 || fchmod(fd, 0755) < 0)
		return fd < 0 ? fd : -errno;
	place_dirs_get(&p->dirs, real)->implied = !opaque;
	return opaque ? layer_xattr_set_opaque(fd) : 0;
}

/* Opens real (no symlinks in it), making what is missing. Returns a descriptor. */
static int open_real(struct place_parent *p, const char *real)
{
	CLEANUP(fd_close) int fd = place_open_child(p->root, ".");

	for (size_t at = 0; fd >= 0 && real[at] != '\0';) {
		size_t len = strcspn(real + at, "/");
		CLEANUP(free_ptr) char *name = xstrndup(real + at, len);
		CLEANUP(free_ptr) char *path = xstrndup(real, at + len);
		int r = 0, child = place_open_child(fd, name);

		if (child == -ENOENT || child == -ENOTDIR) {
			r = make_parent(p, fd, name, path);
			child = r < 0 ? r : place_open_child(fd, name);
		}
		fd_close(&fd);
		fd = child;
		at += len + (real[at + len] == '/');
	}
	return fd < 0 ? fd : steal_fd(&fd);
}

int place_parent_enter(struct place_parent *p, const char *asked, struct varve_error *err)
{
	const struct layer_stacked stack = {.tree = p->root, .owners = p->owners};
	struct layer_resolved found = {.path = NULL};
	CLEANUP(free_ptr) char *real = NULL;
	CLEANUP(free_ptr) char *copy = NULL;
	int r;

	if (p->asked && str_equal(p->asked, asked))
		return 0;
	copy = xstrdup(asked);
	forget(p);
	r = layer_resolve(&stack, 1, copy, NULL, &found, err);
	if (r < 0)
		return r == -ELOOP || r == -ENAMETOOLONG
			       ? varve_error_set(err, -VARVE_E_FORMAT, "%s: too many symlinks",
						 copy)
			       : r;
	real = found.path;
	r = open_real(p, real);
	if (r == -ENOTDIR)
		return varve_error_set(err, -VARVE_E_FORMAT, "%s is not a directory", copy);
	if (r < 0)
		return varve_error_set(err, r, "make directory %s", copy);
	p->fd = r;
	p->asked = steal_ptr(&copy);
	p->real = steal_ptr(&real);
	return 0;
}
