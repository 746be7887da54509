/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

enum { OPEN_FRAMES = 32 }; /* descriptors held at a time */

struct name {
	size_t offset; /* in the frame's text */
	const char *text;
	bool whiteout;
	bool is_file; /* as the directory says */
};

/* A directory that the walk is in. */
struct frame {
	struct stat st;
	size_t path_len; /* of the directory */
	int fd; /* -1: closed, opened again by path */
	struct buf text; /* its names, each with its NUL */
	struct name *names;
	size_t count, alloc, next;
};

struct layer_walk {
	int root;
	const struct owners *owners;
	struct buf path;
	struct frame *frames;
	size_t count, alloc;
	bool enter; /* the last entry was a directory: its content comes next */
	struct stat last;
	bool opens; /* regular files */
	int file; /* the one that was opened last, or -1 */
};

bool layer_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int layer_make_whiteout(const struct owners *owners, int dirfd, const char *name)
{
	int r = -EOPNOTSUPP; /* as where there are no user xattrs for the record */

	if (owners->file_whiteouts)
		r = owner_make_device(dirfd, name, S_IFCHR, makedev(0, 0));
	if (r != -EOPNOTSUPP)
		return r;
	return mknodat(dirfd, name, S_IFCHR, makedev(0, 0)) < 0 ? -errno : 0;
}

static void frame_release(struct frame *f)
{
	fd_close(&f->fd);
	buf_release(&f->text);
	free(f->names);
}

static int compare_names(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	if (x->whiteout != y->whiteout)
		return x->whiteout ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* Known before all else is looked at: they come first. */
static bool is_whiteout(const struct owners *owners, int dirfd, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_CHR && d->d_type != DT_UNKNOWN &&
	    !(d->d_type == DT_REG && owners->file_whiteouts))
		return false;
	return fstatat(dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       owner_read(owners, dirfd, d->d_name, &st) == 0 && layer_is_whiteout(&st);
}

static void add_name(const struct owners *owners, struct frame *f, const struct dirent *d)
{
	struct name *n;

	f->names = array_grow(f->names, f->count, &f->alloc, sizeof(*f->names));
	n = &f->names[f->count++];
	n->offset = f->text.len;
	buf_add(&f->text, d->d_name, strlen(d->d_name) + 1);
	n->whiteout = is_whiteout(owners, f->fd, d);
	n->is_file = d->d_type == DT_REG;
}

static int read_names(const struct owners *owners, struct frame *f)
{
	int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *d;
	DIR *dir;
	int r;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		fd_close(&fd);
		return r;
	}
	for (errno = 0; (d = readdir(dir)); errno = 0)
		if (!str_equal(d->d_name, ".") && !str_equal(d->d_name, ".."))
			add_name(owners, f, d);
	r = -errno;
	(void)closedir(dir);
	for (size_t i = 0; i < f->count; i++)
		f->names[i].text = f->text.data + f->names[i].offset;
	if (f->count > 1)
		qsort(f->names, f->count, sizeof(*f->names), compare_names);
	return r;
}

/* The path so far leads through directories only: the walk has been in each of them. */
static int frame_open(struct layer_walk *w, struct frame *f, struct varve_error *err)
{
	char *cut, kept;

	if (f->fd >= 0)
		return 0;
	buf_reserve(&w->path, 1);
	cut = w->path.data + f->path_len;
	kept = *cut;
	*cut = '\0';
	f->fd = openat(w->root, f->path_len > 0 ? w->path.data : ".",
		       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	*cut = kept;
	if (f->fd < 0)
		return varve_error_set(err, -errno, "open directory %.*s", (int)f->path_len,
				       w->path.data);
	return 0;
}

static int walk_push(struct layer_walk *w, struct varve_error *err)
{
	struct frame *f;
	int r;

	w->frames = array_grow(w->frames, w->count, &w->alloc, sizeof(*w->frames));
	f = &w->frames[w->count++];
	*f = (struct frame){.st = w->last, .path_len = w->path.len, .fd = -1};
	if (w->count > OPEN_FRAMES)
		fd_close(&w->frames[w->count - OPEN_FRAMES].fd);
	r = frame_open(w, f, err);
	if (r < 0)
		return r;
	r = read_names(w->owners, f);
	if (r < 0)
		return varve_error_set(err, r, "read directory %s", buf_text(&w->path));
	return 0;
}

int layer_walk_new(int root, const struct owners *owners, struct layer_walk **ret,
		   struct varve_error *err)
{
	CLEANUP(layer_walk_freep) struct layer_walk *w = xcalloc(1, sizeof(*w));
	int r;

	w->root = root;
	w->owners = owners;
	w->file = -1;
	r = walk_push(w, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&w);
	return 0;
}

static void walk_cut(struct layer_walk *w, size_t len)
{
	buf_reserve(&w->path, 1);
	w->path.len = len;
	w->path.data[len] = '\0';
}

static void fill_names(const struct layer_walk *w, const struct frame *parent,
		       struct walk_entry *ret)
{
	ret->path = w->path.data;
	ret->name = w->path.data + (parent->path_len > 0 ? parent->path_len + 1 : 0);
	ret->dirfd = parent->fd;
	ret->fd = -1;
}

/* A file is opened and then asked what it is, which costs less than to look its name up twice. */
static int look_at(struct layer_walk *w, const struct name *n, struct walk_entry *ret,
		   struct varve_error *err)
{
	if (w->opens && n->is_file) {
		w->file =
			openat(ret->dirfd, n->text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (w->file < 0)
			return varve_error_set(err, -errno, "open %s", w->path.data);
		ret->fd = w->file;
	}
	if (w->file >= 0 ? fstat(w->file, &ret->st) < 0
			 : fstatat(ret->dirfd, n->text, &ret->st, AT_SYMLINK_NOFOLLOW) < 0)
		return varve_error_set(err, -errno, "stat %s", w->path.data);
	return 0;
}

static int walk_leave(struct layer_walk *w, struct walk_entry *ret, struct varve_error *err)
{
	struct frame *f = &w->frames[w->count - 1];
	int r;

	if (w->count == 1)
		return 0;
	walk_cut(w, f->path_len);
	*ret = (struct walk_entry){.st = f->st, .leave = true, .depth = w->count - 2};
	frame_release(f);
	w->count--;
	r = frame_open(w, f - 1, err);
	if (r < 0)
		return r;
	fill_names(w, f - 1, ret);
	return 1;
}

static int walk_entry(struct layer_walk *w, struct frame *f, struct walk_entry *ret,
		      struct varve_error *err)
{
	const struct name *n = &f->names[f->next++];
	int r;

	r = frame_open(w, f, err);
	if (r < 0)
		return r;
	walk_cut(w, f->path_len);
	if (f->path_len > 0)
		buf_addc(&w->path, '/');
	buf_addstr(&w->path, n->text);
	if (w->path.len >= LAYER_PATH_MAX)
		return varve_error_set(err, -VARVE_E_LIMIT, "path longer than %d bytes: %.200s...",
				       LAYER_PATH_MAX - 1, w->path.data);
	*ret = (struct walk_entry){.depth = w->count - 1};
	fill_names(w, f, ret);
	r = look_at(w, n, ret, err);
	if (r < 0)
		return r;
	r = owner_read(w->owners, f->fd, n->text, &ret->st);
	if (r < 0)
		return varve_error_set(err, r, "read owner of %s", w->path.data);
	ret->whiteout = layer_is_whiteout(&ret->st);
	w->last = ret->st;
	w->enter = S_ISDIR(ret->st.st_mode);
	return 1;
}

void layer_walk_open_files(struct layer_walk *walk)
{
	walk->opens = true;
}

int layer_walk_next(struct layer_walk *walk, struct walk_entry *ret, struct varve_error *err)
{
	struct frame *f;
	int r;

	fd_close(&walk->file);
	if (walk->enter) {
		walk->enter = false;
		r = walk_push(walk, err);
		if (r < 0)
			return r;
	}
	f = &walk->frames[walk->count - 1];
	if (f->next == f->count)
		return walk_leave(walk, ret, err);
	return walk_entry(walk, f, ret, err);
}

void layer_walk_free(struct layer_walk *walk)
{
	if (!walk)
		return;
	for (size_t i = 0; i < walk->count; i++)
		frame_release(&walk->frames[i]);
	fd_close(&walk->file);
	free(walk->frames);
	buf_release(&walk->path);
	free(walk);
}

void layer_walk_freep(struct layer_walk **walk)
{
	layer_walk_free(*walk);
	*walk = NULL;
}
