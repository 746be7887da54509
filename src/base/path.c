/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

enum { MAX_LINKS = 40 };

/* The length of the component that path starts with. */
static size_t component_len(const char *path)
{
	return strcspn(path, "/");
}

static bool is_dot(const char *component, size_t len)
{
	return len == 1 && component[0] == '.';
}

static bool is_dot_dot(const char *component, size_t len)
{
	return len == 2 && component[0] == '.' && component[1] == '.';
}

bool path_is_clean(const char *path)
{
	for (;;) {
		size_t len = component_len(path);

		if (len == 0 || is_dot(path, len) || is_dot_dot(path, len))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

char *path_clean(const char *path)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	size_t len;

	for (path += strspn(path, "/"); *path; path += len, path += strspn(path, "/")) {
		len = component_len(path);
		if (is_dot_dot(path, len))
			return NULL;
		if (is_dot(path, len))
			continue;
		if (out.len)
			buf_addc(&out, '/');
		buf_add(&out, path, len);
	}
	return buf_steal(&out);
}

char *path_join(const char *dir, const char *name)
{
	if (!*dir)
		return xstrdup(name);
	return xasprintf("%s%s%s", dir, str_ends(dir, "/") ? "" : "/", name);
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

size_t path_dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

/* A walk that never leaves root: where it is, and what is still to be walked. */
struct walk {
	int root;
	int fd; /* O_PATH */
	unsigned depth; /* real directories between root and fd: ".." stops at 0 */
	unsigned links;
	char *rest; /* owned; NULL at the start */
};

static void walk_release(struct walk *w)
{
	fd_close(&w->fd);
	free_ptr(&w->rest);
}

static int walk_enter(struct walk *w, const char *name, int depth_change)
{
	int fd = openat(w->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	fd_close(&w->fd);
	w->fd = fd;
	w->depth += (unsigned)depth_change;
	return 0;
}

static int walk_to_root(struct walk *w)
{
	int fd = openat(w->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	fd_close(&w->fd);
	w->fd = fd;
	w->depth = 0;
	return 0;
}

/* Puts the target of the link before the path that follows it. -ENOTDIR where name is no link. */
static int walk_link(struct walk *w, const char *name, const char *after)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(w->fd, name, target, sizeof(target));
	char *rest;

	if (n < 0)
		return errno == EINVAL ? -ENOTDIR : -errno;
	if (n == (ssize_t)sizeof(target))
		return -ENAMETOOLONG;
	if (++w->links > MAX_LINKS)
		return -ELOOP;
	rest = xasprintf("%.*s/%s", (int)n, target, after);
	free(w->rest);
	w->rest = rest;
	return target[0] == '/' ? walk_to_root(w) : 0;
}

static int walk_create(struct walk *w, const char *name)
{
	if (mkdirat(w->fd, name, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	/* The umask of the caller must not show in an image. */
	return fchmodat(w->fd, name, 0755, 0) < 0 ? -errno : 0;
}

static int walk_component(struct walk *w, const char *name, const char *after, bool create)
{
	int r;

	if (is_dot_dot(name, strlen(name)))
		return w->depth ? walk_enter(w, name, -1) : 0;
	r = walk_enter(w, name, 1);
	if (r == -ENOENT && create) {
		r = walk_create(w, name);
		return r < 0 ? r : walk_enter(w, name, 1);
	}
	/* With O_DIRECTORY a link is reported as something that is no directory. */
	if (r == -ENOTDIR || r == -ELOOP)
		return walk_link(w, name, after);
	return r;
}

static int walk_all(struct walk *w, bool create)
{
	for (;;) {
		CLEANUP(free_ptr) char *path = steal_ptr(&w->rest);
		char *name = path + strspn(path, "/");
		size_t len = component_len(name);
		char *after = name + len + (name[len] == '/');
		int r = 0;

		if (len == 0)
			return 0;
		name[len] = '\0';
		if (!is_dot(name, len))
			r = walk_component(w, name, after, create);
		if (r < 0)
			return r;
		if (!w->rest)
			w->rest = xstrdup(after);
	}
}

int path_open_dir_in(int root, const char *path, bool create)
{
	CLEANUP(walk_release) struct walk w = {.root = root, .fd = -1};
	int r = walk_to_root(&w);

	if (r < 0)
		return r;
	w.rest = xstrdup(path);
	r = walk_all(&w, create);
	if (r < 0)
		return r;
	r = openat(w.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}
