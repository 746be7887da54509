/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_place_dirs.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

static int compare_dirs(const void *a, const void *b)
{
	return strcmp(((const struct place_dir *)a)->path, ((const struct place_dir *)b)->path);
}

static void free_dir(void *pointer)
{
	struct place_dir *dir = pointer;

	layer_xattrs_release(&dir->xattrs);
	free(dir->path);
	free(dir);
}

struct place_dir *place_dirs_get(struct place_dirs *d, const char *path)
{
	struct place_dir *made = xcalloc(1, sizeof(*made));
	struct place_dir *const *found;

	made->path = xstrdup(path);
	made->implied = true;
	found = tsearch(made, &d->tree, compare_dirs);
	if (!found)
		abort();
	if (*found != made)
		free_dir(made);
	return *found;
}

static struct place_dir *find(const struct place_dirs *d, const char *path)
{
	struct place_dir wanted = {.path = xstrdup(path)};
	struct place_dir *const *found = tfind(&wanted, &d->tree, compare_dirs);

	free(wanted.path);
	return found ? *found : NULL;
}

void place_dirs_remove(struct place_dirs *d, const char *path)
{
	struct place_dir *dir = find(d, path);

	if (!dir)
		return;
	(void)tdelete(dir, &d->tree, compare_dirs);
	free_dir(dir);
}

struct each {
	int (*fn)(void *cookie, const struct place_dir *dir);
	void *cookie;
	int result;
};

static void each_node(const void *node, VISIT visit, void *cookie)
{
	struct each *e = cookie;

	if (e->result >= 0 && (visit == postorder || visit == leaf))
		e->result = e->fn(e->cookie, *(struct place_dir *const *)node);
}

int place_dirs_each(const struct place_dirs *d,
		    int (*fn)(void *cookie, const struct place_dir *dir), void *cookie)
{
	struct each e = {fn, cookie, 0};

	twalk_r(d->tree, each_node, &e);
	return e.result;
}

void place_dirs_release(struct place_dirs *d)
{
	tdestroy(d->tree, free_dir);
	d->tree = NULL;
}
