/* SPDX-License-Identifier: Apache-2.0
 * Copies of files inside the store: owners, modes, times, xattrs and hard links are kept. */
#include "build/step.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "layer/layer_copy.h"

enum { COPY_DEPTH = 512 };

/* A file with several names that was copied already. In a view of links every file has several. */
struct linked {
	dev_t dev;
	ino_t ino;
	char *path; /* relative to the top of the copy */
};

struct copy {
	const struct owners *owners;
	const struct strv *exclude;
	bool moves; /* regular files are renamed */
	int top; /* of the copy; link targets are relative to it */
	void *links; /* tsearch(3) tree of struct linked */
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

static int compare_linked(const void *a, const void *b)
{
	const struct linked *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void free_linked(void *linked)
{
	free(((struct linked *)linked)->path);
	free(linked);
}

static void copy_release(struct copy *copy)
{
	tdestroy(copy->links, free_linked);
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

static struct layer_copy copy_of(const struct copy *copy, const struct item *item)
{
	return (struct layer_copy){
		.owners = copy->owners,
		.from_form = LAYER_XATTR_TREE,
		.to_form = LAYER_XATTR_TREE,
		.from = item->from,
		.to = item->to,
		.name = item->name,
		.to_name = item->to_name,
	};
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
	const struct layer_copy attributes = copy_of(copy, item);
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
	return r < 0 ? r : layer_copy_directory(&attributes, st);
}

/* 1: the file is another name of one that was copied, and is linked now. */
static int copy_link(struct copy *copy, const struct item *item, const struct stat *st)
{
	struct linked *made, **found;

	if (st->st_nlink < 2)
		return 0;
	made = xcalloc(1, sizeof(*made));
	made->dev = st->st_dev;
	made->ino = st->st_ino;
	found = tsearch(made, &copy->links, compare_linked);
	if (!found)
		abort();
	if (*found == made) {
		made->path = xstrdup(item->path);
		return 0;
	}
	free(made);
	return linkat(copy->top, (*found)->path, item->to, item->to_name, 0) < 0 ? -errno : 1;
}

/* A renamed file has its attributes with it. False: it is to be copied. */
static bool move_file(const struct copy *copy, const struct item *item, const struct stat *st)
{
	return copy->moves && S_ISREG(st->st_mode) &&
	       renameat2(item->from, item->name, item->to, item->to_name, RENAME_NOREPLACE) == 0;
}

static int copy_entry(struct copy *copy, const struct item *item)
{
	const struct layer_copy file = copy_of(copy, item);
	struct stat st;
	int r;

	r = fstatat(item->from, item->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (r == 0)
		r = owner_read(copy->owners, item->from, item->name, &st);
	if (r < 0)
		; /* told below */
	else if (S_ISDIR(st.st_mode))
		return copy_directory(copy, item, &st);
	else if ((r = copy_link(copy, item, &st)) == 0 && !move_file(copy, item, &st))
		r = layer_copy_file(&file, &st);
	if (r < 0 && copy->err && copy->err->code == 0)
		return varve_error_set(copy->err, r, "copy %s", item->path);
	return r < 0 ? r : 0;
}

static int copy_into(struct copy *copy, int from_dir, const char *from_name)
{
	CLEANUP(fd_close) int in = openat(from_dir, from_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return in < 0 ? -errno : copy_content(copy, in, copy->top, "");
}

/* NOLINTNEXTLINE(readability-function-size): two places, of two values each */
int tree_copy(const struct owners *owners, int from_dir, const char *from_name, int to_dir,
	      const char *to_name, const struct tree_copy_rules *rules, struct varve_error *err)
{
	CLEANUP(copy_release)
	struct copy copy = {.owners = owners,
			    .exclude = rules->exclude,
			    .moves = rules->moves,
			    .top = -1,
			    .err = err};
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

int step_bind_copy(const struct owners *owners, const char *source, int to_dir, const char *to_name,
		   struct varve_error *err)
{
	return tree_copy(owners, AT_FDCWD, source, to_dir, to_name, &(struct tree_copy_rules){0},
			 err);
}
