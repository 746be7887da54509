/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_divide.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/size_text.h"
#include "base/strv.h"
#include "layer/layer_copy.h"
#include "layer/layer_walk.h"

enum { PART_NAME = 16 };

/* A directory that leads to something which is moved, as it was before. */
struct parent {
	char *path;
	struct stat st;
};

/* One that was made in a part, or from which something was taken. */
struct touched {
	const char *path; /* of a parent */
	int part;
	bool made;
};

struct division {
	int tree, into;
	const struct owners *owners;
	struct split split;
	struct strv strays; /* paths that leave their units, and where to */
	int *stray_parts;
	size_t stray_alloc;
	struct parent *parents; /* by path, bytewise */
	size_t parent_count, parent_alloc;
	struct touched *touched;
	size_t touched_count, touched_alloc;
	int *parts; /* directories */
	struct varve_error *err;
};

static void division_release(struct division *d)
{
	for (size_t i = 0; i < d->parent_count; i++)
		free(d->parents[i].path);
	for (int i = 0; d->parts && i < d->split.part_count; i++)
		fd_close(&d->parts[i]);
	free(d->parts);
	free(d->parents);
	free(d->touched);
	free(d->stray_parts);
	strv_release(&d->strays);
	split_release(&d->split);
}

/* --- deciding ----------------------------------------------------------------------------------
 */

static void note(struct split *split, const struct walk_entry *e)
{
	const bool is_directory = S_ISDIR(e->st.st_mode);
	const struct split_file file = {
		.path = e->path,
		.size = S_ISREG(e->st.st_mode) && !e->whiteout ? (uint64_t)e->st.st_size : 0,
		.dev = e->st.st_dev,
		.ino = e->st.st_ino,
		.linked = e->st.st_nlink > 1 && !e->whiteout,
	};

	if (is_directory && e->leave)
		split_leave(split, e->path);
	else if (is_directory)
		split_enter(split, e->path);
	else
		split_add(split, &file);
}

static int decide_once(struct division *d, const struct layer_split *how)
{
	CLEANUP(layer_walk_freep) struct layer_walk *walk = NULL;
	struct walk_entry e;
	int r = layer_walk_new(d->tree, d->owners, &walk, d->err);

	split_release(&d->split);
	split_begin(&d->split, how);
	while (r >= 0 && (r = layer_walk_next(walk, &e, d->err)) > 0)
		note(&d->split, &e);
	if (r == 0)
		split_end(&d->split);
	return r;
}

static void tell_maximum(const struct layer_notices *notices, uint64_t asked, uint64_t used)
{
	char before[16], after[16];

	if (notices->lines && asked != used)
		strv_addf(notices->lines,
			  "split: more than %d layers of %s each; they are of up to %s",
			  LAYER_PARTS_MAX, size_text(asked, before), size_text(used, after));
}

static void tell_absent(const struct layer_notices *notices, const struct layer_split *how,
			const struct split *split)
{
	for (int zone = 1; how->directories && how->directories[zone - 1]; zone++) {
		size_t i = 0;

		while (i < split->count && split->units[i].zone != zone)
			i++;
		if (i == split->count && notices->lines)
			strv_addf(notices->lines, "split: the step makes nothing in /%s",
				  how->directories[zone - 1]);
	}
}

static int decide(struct division *d, const struct layer_split *how,
		  const struct layer_notices *notices)
{
	struct layer_split wider = *how;
	int r = decide_once(d, &wider);

	while (r == 0 && d->split.part_count > LAYER_PARTS_MAX && wider.maximum > 0 &&
	       wider.maximum <= UINT64_MAX / 2) {
		wider.maximum *= 2;
		r = decide_once(d, &wider);
	}
	if (r < 0)
		return r;
	tell_maximum(notices, how->maximum, wider.maximum);
	tell_absent(notices, how, &d->split);
	return 0;
}

/* --- parents -----------------------------------------------------------------------------------
 */

static int add_stray(void *cookie, const char *path, int part)
{
	struct division *d = cookie;

	d->stray_parts = array_grow(d->stray_parts, d->strays.count, &d->stray_alloc,
				    sizeof(*d->stray_parts));
	d->stray_parts[d->strays.count] = part;
	strv_add(&d->strays, path);
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct parent *)a)->path, ((const struct parent *)b)->path);
}

static const struct parent *find_parent(const struct division *d, const char *path)
{
	/* bsearch does not change what it is given. */
	const struct parent wanted = {.path = (char *)(uintptr_t)path};

	return bsearch(&wanted, d->parents, d->parent_count, sizeof(wanted), by_path);
}

/* Units of one directory come in a row: it is enough to look at the first. */
static void add_parents_of(struct division *d, const char *path, const char *before)
{
	size_t len = path_dir_len(path);
	CLEANUP(free_ptr) char *name = xstrndup(path, len);

	if (before && path_dir_len(before) == len && strncmp(before, path, len) == 0)
		return;
	for (; *name; name[path_dir_len(name)] = '\0') {
		d->parents = array_grow(d->parents, d->parent_count, &d->parent_alloc,
					sizeof(*d->parents));
		d->parents[d->parent_count++] = (struct parent){.path = xstrdup(name)};
	}
}

static void drop_doubles(struct division *d)
{
	size_t kept = 0;

	qsort(d->parents, d->parent_count, sizeof(*d->parents), by_path);
	for (size_t i = 0; i < d->parent_count; i++) {
		if (kept > 0 && str_equal(d->parents[kept - 1].path, d->parents[i].path))
			free(d->parents[i].path);
		else
			d->parents[kept++] = d->parents[i];
	}
	d->parent_count = kept;
}

/* Before anything is moved: that changes times. */
static int find_parents(struct division *d)
{
	for (size_t i = 0; i < d->split.count; i++)
		add_parents_of(d, d->split.units[i].path,
			       i > 0 ? d->split.units[i - 1].path : NULL);
	for (size_t i = 0; i < d->strays.count; i++)
		add_parents_of(d, d->strays.items[i], i > 0 ? d->strays.items[i - 1] : NULL);
	if (d->parent_count > 1)
		drop_doubles(d);
	for (size_t i = 0; i < d->parent_count; i++) {
		struct parent *p = &d->parents[i];
		int r = fstatat(d->tree, p->path, &p->st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;

		if (r == 0)
			r = owner_read(d->owners, d->tree, p->path, &p->st);
		if (r < 0)
			return varve_error_set(d->err, r, "stat %s", p->path);
	}
	return 0;
}

/* --- moving ------------------------------------------------------------------------------------
 */

static void note_touched(struct division *d, const char *path, int part, bool made)
{
	d->touched =
		array_grow(d->touched, d->touched_count, &d->touched_alloc, sizeof(*d->touched));
	d->touched[d->touched_count++] = (struct touched){find_parent(d, path)->path, part, made};
}

static int make_parents(struct division *d, const char *path, int part)
{
	CLEANUP(free_ptr) char *name = xstrdup(path);
	int r;

	for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(d->parts[part], name, 0700) == 0)
			note_touched(d, name, part, true);
		else if (errno != EEXIST) {
			r = -errno;
			return varve_error_set(d->err, r, "make %s of part %d", name, part);
		}
		*slash = '/';
	}
	return 0;
}

static int move(struct division *d, int from, const char *path, int part)
{
	int r = 0;

	if (renameat(from, path, d->parts[part], path) == 0)
		return 0;
	/* Where a row of units shares a directory it is made for the first one only. */
	if (errno == ENOENT)
		r = make_parents(d, path, part);
	if (r < 0)
		return r;
	if (renameat(from, path, d->parts[part], path) < 0)
		return varve_error_set(d->err, -errno, "move %s to part %d", path, part);
	return 0;
}

/* After the units: the directory that a name leaves is in its part by then. */
static int move_stray(struct division *d, const char *path, int part)
{
	CLEANUP(free_ptr) char *directory = xstrndup(path, path_dir_len(path));
	int home = split_part(&d->split, path), r;

	r = move(d, d->parts[home], path, part);
	if (r == 0 && *directory)
		note_touched(d, directory, home, false);
	if (r == 0 && *directory) /* it may have been there already, in a unit of its own */
		note_touched(d, directory, part, false);
	return r;
}

static int move_all(struct division *d)
{
	int r = 0;

	for (size_t i = 0; i < d->split.count && r == 0; i++)
		r = move(d, d->tree, d->split.units[i].path, d->split.units[i].part);
	for (size_t i = 0; i < d->strays.count && r == 0; i++)
		r = move_stray(d, d->strays.items[i], d->stray_parts[i]);
	return r;
}

/* --- attributes --------------------------------------------------------------------------------
 */

/* From the part that has the directory itself: a unit was renamed with all that is in it. */
static int open_original(const struct division *d, const char *path)
{
	struct stat st;
	int part;

	if (fstatat(d->tree, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return d->tree;
	part = split_part(&d->split, path);
	return part == SPLIT_NO_PART ? -1 : d->parts[part];
}

static int copy_attributes(const struct division *d, const struct touched *t,
			   const struct parent *parent)
{
	const struct layer_copy copy = {
		.owners = d->owners,
		.from_form = LAYER_XATTR_TREE,
		.to_form = LAYER_XATTR_TREE,
		.from = open_original(d, t->path),
		.to = d->parts[t->part],
		.name = t->path,
		.to_name = t->path,
	};

	return copy.from < 0 ? -ENOENT : layer_copy_directory(&copy, &parent->st);
}

static int restore_time(const struct division *d, const struct touched *t,
			const struct parent *parent)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, parent->st.st_mtim};

	return utimensat(d->parts[t->part], t->path, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* Neither setting attributes of what is in a directory nor its own time changes that of another. */
static int finish_directories(struct division *d)
{
	for (size_t i = 0; i < d->touched_count; i++) {
		const struct touched *t = &d->touched[i];
		const struct parent *parent = find_parent(d, t->path);
		int r = t->made ? copy_attributes(d, t, parent) : restore_time(d, t, parent);

		if (r < 0)
			return varve_error_set(d->err, r, "set attributes of %s in part %d",
					       t->path, t->part);
	}
	return 0;
}

static int set_root(const struct division *d, int part)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
	int r = owner_write(d->owners, d->parts[part], ".", 0, 0);

	if (r == 0 && (fchmod(d->parts[part], 0755) < 0 || futimens(d->parts[part], times) < 0))
		r = -errno;
	return r < 0 ? varve_error_set(d->err, r, "set attributes of part %d", part) : 0;
}

static int finish_all(struct division *d)
{
	int r = finish_directories(d);

	for (int i = 0; i < d->split.part_count && r == 0; i++)
		r = set_root(d, i);
	return r;
}

static int make_parts(struct division *d)
{
	char name[PART_NAME];

	d->parts = xcalloc((size_t)d->split.part_count + 1, sizeof(*d->parts));
	for (int i = 0; i < d->split.part_count; i++)
		d->parts[i] = -1;
	for (int i = 0; i < d->split.part_count; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		if (mkdirat(d->into, name, 0755) < 0)
			return varve_error_set(d->err, -errno, "make part %d", i);
		d->parts[i] = openat(d->into, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (d->parts[i] < 0)
			return varve_error_set(d->err, -errno, "open part %d", i);
	}
	return 0;
}

/* A tree, how it is split and where to, and whom to tell: no two of them belong together. */
/* NOLINTNEXTLINE(readability-function-size) */
int layer_divide(int tree, const struct owners *owners, const struct layer_split *how, int into,
		 const struct layer_notices *notices, size_t *ret_count, struct varve_error *err)
{
	CLEANUP(division_release)
	struct division d = {.tree = tree, .into = into, .owners = owners, .err = err};
	static int (*const passes[])(struct division *) = {find_parents, make_parts, move_all,
							   finish_all};
	int r = decide(&d, how, notices);

	if (r == 0)
		r = split_strays(&d.split, add_stray, &d);
	for (size_t i = 0; i < ARRAY_SIZE(passes) && r == 0 && d.split.part_count > 1; i++)
		r = passes[i](&d);
	if (r == 0)
		*ret_count = (size_t)d.split.part_count;
	return r;
}

/* The time of the directory around it stays. */
static int remove_empty(int part, const char *path)
{
	CLEANUP(free_ptr) char *above = xstrndup(path, path_dir_len(path));
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	struct stat st;

	if (fstatat(part, *above ? above : ".", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    unlinkat(part, path, AT_REMOVEDIR) < 0)
		return -errno;
	times[1] = st.st_mtim;
	return utimensat(part, *above ? above : ".", times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int layer_divide_implied(int part, const struct strv *implied, struct strv *ret,
			 struct varve_error *err)
{
	struct stat st;

	/* Backwards: what is in a directory sorts after it. */
	for (size_t i = implied->count; i-- > 0;) {
		const char *path = implied->items[i];
		int r;

		if (fstatat(part, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
			continue;
		r = remove_empty(part, path);
		if (r == -ENOTEMPTY || r == -EEXIST)
			strv_add(ret, path);
		else if (r < 0)
			return varve_error_set(err, r, "remove the empty directory %s", path);
	}
	strv_sort(ret);
	return 0;
}
