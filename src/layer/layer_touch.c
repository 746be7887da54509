/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_touch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "layer/layer_walk.h"
#include "layer/layer_xattr.h"

enum { TICK_LIMIT = 4000, TICK = 1000000 }; /* waits, and nanoseconds of one: 4 seconds in all */

struct noted {
	char *path;
	ino_t ino;
	struct timespec ctime;
	bool own; /* was there before the copy: never untouched */
	bool seen; /* is there now */
	bool directory; /* and is a directory */
};

struct layer_touch {
	int root;
	const struct owners *owners;
	struct noted *items; /* sorted by path from layer_touch_begin on */
	size_t count, alloc;
	bool blind; /* the file system's clock does not move: nothing is taken for untouched */
};

void layer_touch_freep(struct layer_touch **touch)
{
	struct layer_touch *t = *touch;

	*touch = NULL;
	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++)
		free(t->items[i].path);
	free(t->items);
	free(t);
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static int compare_noted(const void *a, const void *b)
{
	return strcmp(((const struct noted *)a)->path, ((const struct noted *)b)->path);
}

static struct noted *find(const struct layer_touch *t, const char *path, size_t count)
{
	const struct noted wanted = {.path = (char *)(uintptr_t)path};

	return count == 0 ? NULL
			  : bsearch(&wanted, t->items, count, sizeof(*t->items), compare_noted);
}

/* --- the index ---------------------------------------------------------------------------------
 */

/* known: how many items, sorted, are noted already. */
static int note_all(struct layer_touch *t, bool own, size_t known, struct varve_error *err)
{
	CLEANUP(layer_walk_freep) struct layer_walk *walk = NULL;
	struct walk_entry e;
	int r = layer_walk_new(t->root, t->owners, &walk, err);

	if (r < 0)
		return r;
	while ((r = layer_walk_next(walk, &e, err)) > 0) {
		if (e.leave || find(t, e.path, known))
			continue;
		t->items = array_grow(t->items, t->count, &t->alloc, sizeof(*t->items));
		t->items[t->count++] = (struct noted){
			.path = xstrdup(e.path),
			.ino = e.st.st_ino,
			.ctime = e.st.st_ctim,
			.own = own,
		};
	}
	if (t->count > 1)
		qsort(t->items, t->count, sizeof(*t->items), compare_noted);
	return r;
}

int layer_touch_new(int root, const struct owners *owners, struct layer_touch **ret,
		    struct varve_error *err)
{
	CLEANUP(layer_touch_freep) struct layer_touch *t = xcalloc(1, sizeof(*t));
	int r;

	t->root = root;
	t->owners = owners;
	r = note_all(t, true, 0, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&t);
	return 0;
}

static struct timespec newest(const struct layer_touch *t)
{
	struct timespec last = {0};

	for (size_t i = 0; i < t->count; i++)
		if (is_before(&last, &t->items[i].ctime))
			last = t->items[i].ctime;
	return last;
}

/* A file that is changed in the tick in which it was copied would look untouched. 1: that tick is
 * over; 0: it does not end. */
static int wait_for_tick(const struct layer_touch *t)
{
	const struct timespec last = newest(t), pause = {.tv_nsec = TICK};
	struct stat st;

	for (int i = 0; i < TICK_LIMIT; i++) {
		if (fstat(t->root, &st) < 0 || fchmod(t->root, st.st_mode & 07777) < 0 ||
		    fstat(t->root, &st) < 0)
			return -errno;
		if (is_before(&last, &st.st_ctim))
			return 1;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

int layer_touch_begin(struct layer_touch *touch, struct varve_error *err)
{
	int r = note_all(touch, false, touch->count, err);

	if (r < 0)
		return r;
	r = wait_for_tick(touch);
	if (r < 0)
		return varve_error_set(err, r, "change the root of a copy");
	touch->blind = r == 0;
	return 0;
}

/* --- the difference ----------------------------------------------------------------------------
 */

struct difference {
	struct layer_touch *touch;
	bool *changed; /* by depth: we changed the directory's content, its time must be put back */
	size_t alloc;
	struct varve_error *err;
};

static void difference_release(struct difference *d)
{
	free(d->changed);
}

static bool is_untouched(const struct layer_touch *t, const struct noted *noted,
			 const struct stat *st)
{
	return noted && !noted->own && !t->blind && noted->ino == st->st_ino &&
	       noted->ctime.tv_sec == st->st_ctim.tv_sec &&
	       noted->ctime.tv_nsec == st->st_ctim.tv_nsec;
}

static int set_time(int dirfd, const char *name, struct timespec mtime)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime};

	return utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int escape(const struct walk_entry *e)
{
	CLEANUP(fd_close) int fd = -1;

	if (!S_ISREG(e->st.st_mode) && !S_ISDIR(e->st.st_mode))
		return 0;
	fd = openat(e->dirfd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : layer_xattrs_escape(fd);
}

/* Its times as they were on entry still tell whether the command touched it. */
static int leave_directory(struct difference *d, const struct walk_entry *e)
{
	const struct noted *noted = find(d->touch, e->path, d->touch->count);

	if (is_untouched(d->touch, noted, &e->st)) {
		if (unlinkat(e->dirfd, e->name, AT_REMOVEDIR) == 0) {
			d->changed[e->depth] = true;
			return 0;
		}
		if (errno != ENOTEMPTY && errno != EEXIST)
			return -errno;
	}
	return d->changed[e->depth + 1] ? set_time(e->dirfd, e->name, e->st.st_mtim) : 0;
}

static int enter_entry(struct difference *d, const struct walk_entry *e)
{
	struct noted *noted = find(d->touch, e->path, d->touch->count);

	if (noted) {
		noted->seen = true;
		noted->directory = S_ISDIR(e->st.st_mode);
	}
	if (S_ISDIR(e->st.st_mode)) {
		d->changed = array_grow(d->changed, e->depth + 1, &d->alloc, sizeof(*d->changed));
		d->changed[e->depth + 1] = false;
	} else if (is_untouched(d->touch, noted, &e->st)) {
		d->changed[e->depth] = true;
		return unlinkat(e->dirfd, e->name, 0) < 0 ? -errno : 0;
	}
	return is_untouched(d->touch, noted, &e->st) ? 0 : escape(e);
}

static int remove_untouched(struct difference *d)
{
	CLEANUP(layer_walk_freep) struct layer_walk *walk = NULL;
	struct walk_entry e;
	int r = layer_walk_new(d->touch->root, d->touch->owners, &walk, d->err);

	d->changed = array_grow(NULL, 0, &d->alloc, sizeof(*d->changed));
	d->changed[0] = false;
	while (r == 0 && (r = layer_walk_next(walk, &e, d->err)) > 0) {
		r = e.leave ? leave_directory(d, &e) : enter_entry(d, &e);
		if (r < 0)
			return varve_error_set(d->err, r, "take %s out of what a step changed",
					       e.path);
	}
	return r;
}

/* Its directory is there, as one: a name that went with its directory needs no whiteout. */
static bool is_missed(const struct layer_touch *t, const struct noted *noted)
{
	CLEANUP(free_ptr) char *parent = xstrndup(noted->path, path_dir_len(noted->path));
	const struct noted *above;

	if (noted->seen || *parent == '\0')
		return !noted->seen;
	above = find(t, parent, t->count);
	return above && above->seen && above->directory;
}

static int make_whiteout(const struct layer_touch *t, const char *path)
{
	CLEANUP(free_ptr) char *parent = xstrndup(path, path_dir_len(path));
	CLEANUP(fd_close) int fd = -1;
	struct stat st;
	int r;

	fd = openat(t->root, *parent ? parent : ".",
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = layer_make_whiteout(t->owners, fd, path_base(path));
	return r < 0 ? r : set_time(fd, ".", st.st_mtim);
}

int layer_touch_end(struct layer_touch *touch, struct varve_error *err)
{
	CLEANUP(difference_release) struct difference d = {.touch = touch, .err = err};
	int r = remove_untouched(&d);

	for (size_t i = 0; i < touch->count && r == 0; i++) {
		if (!is_missed(touch, &touch->items[i]))
			continue;
		r = make_whiteout(touch, touch->items[i].path);
		if (r < 0)
			return varve_error_set(err, r, "make whiteout of %s", touch->items[i].path);
	}
	return r;
}
