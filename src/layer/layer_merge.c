/* SPDX-License-Identifier: Apache-2.0
 * Directory by directory from a list of those that are still to be filled, so that depth costs no
 * descriptors. A directory's own attributes come last of all that happens in it: the directories
 * inside are made with it, and filled later. */
#include "layer/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "layer/layer_copy.h"
#include "layer/layer_stack.h"
#include "layer/layer_walk.h"

/* A directory of the view. */
struct pending {
	char *path; /* "": the root */
	size_t *trees; /* that show in it, topmost first */
	size_t count;
	size_t provider; /* the tree whose attributes it has */
	bool there; /* it was in the target before: its attributes stay, and what is in it */
};

/* One name of a directory, and the topmost of its trees that has it. */
struct shown {
	char *name;
	size_t at; /* index into pending.trees */
};

struct merge {
	const struct layer_stacked *stack;
	const struct owners *owners;
	enum layer_merge_way way;
	int target; /* root of the view */
	int like; /* root of the directory that says which names are wanted; -1: all */
	struct pending *pending;
	size_t count, alloc;
	struct varve_error *err;
};

/* The directory at hand. */
struct filling {
	struct merge *merge;
	const struct pending *directory;
	int *trees; /* descriptors, in the order of directory->trees */
	int target;
	struct shown *names;
	size_t count, alloc;
};

static void pending_release(struct pending *p)
{
	free(p->path);
	free(p->trees);
}

static void merge_release(struct merge *m)
{
	for (size_t i = 0; i < m->count; i++)
		pending_release(&m->pending[i]);
	free(m->pending);
}

static void filling_release(struct filling *f)
{
	for (size_t i = 0; f->trees && i < f->directory->count; i++)
		fd_close(&f->trees[i]);
	free(f->trees);
	fd_close(&f->target);
	for (size_t i = 0; i < f->count; i++)
		free(f->names[i].name);
	free(f->names);
}

static int open_directory(int dirfd, const char *path)
{
	int fd = openat(dirfd, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int filling_open(struct filling *f)
{
	const struct pending *d = f->directory;

	f->trees = xcalloc(d->count + 1, sizeof(*f->trees));
	for (size_t i = 0; i < d->count; i++)
		f->trees[i] = -1;
	for (size_t i = 0; i < d->count; i++) {
		f->trees[i] = open_directory(f->merge->stack[d->trees[i]].tree, d->path);
		if (f->trees[i] < 0)
			return f->trees[i];
	}
	f->target = open_directory(f->merge->target, d->path);
	return f->target < 0 ? f->target : 0;
}

/* --- names -------------------------------------------------------------------------------------
 */

static int compare_shown(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order != 0)
		return order;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void add_name(struct filling *f, const char *name, size_t at)
{
	f->names = array_grow(f->names, f->count, &f->alloc, sizeof(*f->names));
	f->names[f->count++] = (struct shown){xstrdup(name), at};
}

/* The topmost tree that has the name. */
static int note_name(struct filling *f, const char *name)
{
	struct stat st;

	for (size_t i = 0; i < f->directory->count; i++) {
		if (fstatat(f->trees[i], name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			add_name(f, name, i);
			return 0;
		}
		if (errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* The names of one directory: those of the tree at, or those that are wanted. */
static int read_names(struct filling *f, int directory, size_t at)
{
	int fd = open_directory(directory, ""), r = 0;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	if (!stream) {
		r = fd < 0 ? fd : -errno;
		fd_close(&fd);
		return r;
	}
	for (errno = 0; r == 0 && (d = readdir(stream)); errno = 0) {
		if (str_equal(d->d_name, ".") || str_equal(d->d_name, ".."))
			continue;
		if (f->merge->like >= 0)
			r = note_name(f, d->d_name);
		else
			add_name(f, d->d_name, at);
	}
	r = r < 0 ? r : -errno;
	(void)closedir(stream);
	return r;
}

static int read_wanted_names(struct filling *f)
{
	CLEANUP(fd_close) int like = open_directory(f->merge->like, f->directory->path);

	/* Something else is there now: nothing in it can be asked for. */
	if (like == -ENOTDIR || like == -ELOOP)
		return 0;
	return like < 0 ? like : read_names(f, like, 0);
}

static int read_all_names(struct filling *f)
{
	int r = 0;

	if (f->merge->like >= 0)
		r = read_wanted_names(f);
	else
		for (size_t i = 0; i < f->directory->count && r == 0; i++)
			r = read_names(f, f->trees[i], i);
	if (f->count > 1)
		qsort(f->names, f->count, sizeof(*f->names), compare_shown);
	return r;
}

/* --- placing -----------------------------------------------------------------------------------
 */

static int look(const struct filling *f, size_t at, const char *name, struct stat *ret)
{
	if (fstatat(f->trees[at], name, ret, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return owner_read(f->merge->owners, f->trees[at], name, ret);
}

/* Refusals of a link that a copy gets around: another file system, too many links, a rule of the
 * host about links. */
static bool is_refused(int error)
{
	return error == EXDEV || error == EMLINK || error == EPERM || error == EOPNOTSUPP;
}

static int place_file(const struct filling *f, const struct shown *s, const struct stat *st)
{
	const bool copies = f->merge->way == LAYER_MERGE_COPY;
	const struct layer_copy copy = {
		.owners = f->merge->owners,
		.from_form = LAYER_XATTR_TREE,
		.to_form = copies ? LAYER_XATTR_VIEW : LAYER_XATTR_TREE,
		.from = f->trees[s->at],
		.to = f->target,
		.name = s->name,
		.to_name = s->name,
	};

	if (!copies && linkat(copy.from, s->name, f->target, s->name, 0) == 0)
		return 0;
	if (!copies && !is_refused(errno))
		return -errno;
	return layer_copy_file(&copy, st);
}

/* 1: the tree's directory hides what the trees below it have there. */
static int is_opaque(const struct filling *f, size_t at, const char *name)
{
	CLEANUP(fd_close) int fd = open_directory(f->trees[at], name);

	return fd < 0 ? fd : layer_xattr_opaque(fd);
}

/* Which trees show in the directory of that name, and which gives it its attributes. An opaque one
 * without an entry of its own hides content, not attributes. */
static int find_trees(const struct filling *f, const struct shown *s, struct pending *ret)
{
	const struct pending *d = f->directory;
	bool closed = false, provided = false;
	struct stat st;

	ret->trees = xcalloc(d->count, sizeof(*ret->trees));
	ret->provider = d->trees[s->at];
	for (size_t i = s->at; i < d->count && !(closed && provided); i++) {
		int r = fstatat(f->trees[i], s->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;

		if (r == -ENOENT)
			continue;
		if (r < 0 || !S_ISDIR(st.st_mode))
			return r;
		if (!provided &&
		    !layer_implied_has(f->merge->stack[d->trees[i]].implied, ret->path)) {
			ret->provider = d->trees[i];
			provided = true;
		}
		if (closed)
			continue;
		ret->trees[ret->count++] = d->trees[i];
		r = is_opaque(f, i, s->name);
		if (r < 0)
			return r;
		closed = r > 0;
	}
	return 0;
}

static int place_directory(const struct filling *f, const struct shown *s)
{
	struct merge *m = f->merge;
	struct pending child = {.path = path_join(f->directory->path, s->name)};
	int r = mkdirat(f->target, s->name, 0700) < 0 ? -errno : 0;

	if (r == -EEXIST && f->directory->there) {
		child.there = true;
		r = 0;
	}
	if (r == 0)
		r = find_trees(f, s, &child);
	if (r < 0) {
		pending_release(&child);
		return r;
	}
	m->pending = array_grow(m->pending, m->count, &m->alloc, sizeof(*m->pending));
	m->pending[m->count++] = child;
	return 0;
}

/* 1: the target has something of its own that stays instead of what the trees have. */
static int is_covered(const struct filling *f, const struct shown *s, const struct stat *st)
{
	struct stat there;

	if (!f->directory->there || fstatat(f->target, s->name, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return !S_ISDIR(st->st_mode) || !S_ISDIR(there.st_mode);
}

static int place(const struct filling *f, const struct shown *s)
{
	struct stat st;
	int r = look(f, s->at, s->name, &st);

	if (r < 0 || layer_is_whiteout(&st) || is_covered(f, s, &st))
		return r;
	return S_ISDIR(st.st_mode) ? place_directory(f, s) : place_file(f, s, &st);
}

static int place_all(const struct filling *f)
{
	for (size_t i = 0; i < f->count; i++) {
		int r;

		if (i > 0 && str_equal(f->names[i].name, f->names[i - 1].name))
			continue;
		r = place(f, &f->names[i]);
		if (r < 0)
			return varve_error_set(f->merge->err, r, "merge %s%s%s", f->directory->path,
					       *f->directory->path ? "/" : "", f->names[i].name);
	}
	return 0;
}

/* --- directories -------------------------------------------------------------------------------
 */

static int set_root(const struct merge *m)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
	int r = owner_write(m->owners, m->target, ".", 0, 0);

	if (r == 0 && (fchmod(m->target, 0755) < 0 || futimens(m->target, times) < 0))
		r = -errno;
	return r;
}

static int set_attributes(const struct merge *m, const struct pending *d)
{
	const struct layer_copy copy = {
		.owners = m->owners,
		.from_form = LAYER_XATTR_TREE,
		.to_form = m->way == LAYER_MERGE_COPY ? LAYER_XATTR_VIEW : LAYER_XATTR_TREE,
		.from = m->stack[d->provider].tree,
		.to = m->target,
		.name = d->path,
		.to_name = d->path,
	};
	struct stat st;
	int r;

	if (*d->path == '\0')
		return set_root(m);
	if (d->there)
		return 0;
	r = fstatat(copy.from, d->path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (r == 0)
		r = owner_read(m->owners, copy.from, d->path, &st);
	return r < 0 ? r : layer_copy_directory(&copy, &st);
}

static int fill(struct merge *m, const struct pending *directory)
{
	CLEANUP(filling_release)
	struct filling f = {.merge = m, .directory = directory, .target = -1};
	int r = filling_open(&f);

	if (r == 0)
		r = read_all_names(&f);
	if (r < 0)
		return varve_error_set(m->err, r, "read directory /%s of the layers",
				       directory->path);
	r = place_all(&f);
	if (r < 0)
		return r;
	r = set_attributes(m, directory);
	return r < 0 ? varve_error_set(m->err, r, "set attributes of /%s", directory->path) : 0;
}

static void push_root(struct merge *m, size_t count)
{
	struct pending root = {.path = xstrdup(""), .count = count, .there = true};

	root.trees = xcalloc(count + 1, sizeof(*root.trees));
	for (size_t i = 0; i < count; i++)
		root.trees[i] = count - 1 - i;
	m->pending = array_grow(m->pending, m->count, &m->alloc, sizeof(*m->pending));
	m->pending[m->count++] = root;
}

static int fill_all(struct merge *m)
{
	int r = 0;

	while (r == 0 && m->count > 0) {
		CLEANUP(pending_release) struct pending next = m->pending[--m->count];

		r = fill(m, &next);
	}
	return r;
}

int layer_merge(const struct layer_stacked *stack, size_t count, const struct owners *owners,
		enum layer_merge_way way, int directory, struct varve_error *err)
{
	CLEANUP(merge_release)
	struct merge m = {.stack = stack,
			  .owners = owners,
			  .way = way,
			  .target = directory,
			  .like = -1,
			  .err = err};

	push_root(&m, count);
	return fill_all(&m);
}

int layer_merge_like(const struct layer_stacked *stack, size_t count, const struct owners *owners,
		     int like, int directory, struct varve_error *err)
{
	CLEANUP(merge_release)
	struct merge m = {.stack = stack,
			  .owners = owners,
			  .way = LAYER_MERGE_LINKS,
			  .target = directory,
			  .like = like,
			  .err = err};

	push_root(&m, count);
	return fill_all(&m);
}
