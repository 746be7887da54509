/* SPDX-License-Identifier: Apache-2.0
 * Hard links in an upper. A copy-up breaks the links of a file, so the names that an upper has for
 * one inode were all changed by the step: they stay together, or go together. */
#include "layer/layer_upper.h"

#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

static int compare_groups(const void *a, const void *b)
{
	const struct link_group *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void free_group(void *group)
{
	strv_release(&((struct link_group *)group)->paths);
	free(group);
}

void upper_release_links(struct layer_upper *upper)
{
	tdestroy(upper->groups, free_group);
	upper->groups = NULL;
}

void upper_add_link(struct layer_upper *upper, const struct stat *st, const char *path)
{
	struct link_group *made = xcalloc(1, sizeof(*made));
	struct link_group *const *found;

	made->dev = st->st_dev;
	made->ino = st->st_ino;
	found = tsearch(made, &upper->groups, compare_groups);
	if (!found)
		abort();
	if (*found != made)
		free(made);
	strv_add(&(*found)->paths, path);
}

const struct link_group *upper_link_group(const struct layer_upper *upper, const struct stat *st)
{
	const struct link_group wanted = {.dev = st->st_dev, .ino = st->st_ino};
	struct link_group *const *found;

	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return NULL;
	found = tfind(&wanted, &upper->groups, compare_groups);
	return found && (*found)->paths.count > 1 ? *found : NULL;
}

struct decision {
	struct layer_upper *upper;
	int result;
};

/* 1: every name is there below, and all are one inode there. */
static int linked_below(struct layer_upper *upper, const struct strv *paths)
{
	struct stat first, st;

	for (size_t i = 0; i < paths->count; i++) {
		int r = layer_lower_find(&upper->lower, paths->items[i], i == 0 ? &first : &st,
					 NULL, upper->err);

		if (r <= 0)
			return r;
		if (i > 0 && (st.st_dev != first.st_dev || st.st_ino != first.st_ino))
			return 0;
	}
	return 1;
}

static int decide(struct layer_upper *upper, struct link_group *group)
{
	CLEANUP(fd_close) int fd = -1;
	const char *path = group->paths.items[0];
	struct stat st, below;
	int r;

	if (group->paths.count < 2)
		return 0;
	r = linked_below(upper, &group->paths);
	if (r <= 0)
		return r;
	r = upper_find(upper, path, &st, &fd);
	if (r <= 0)
		return r;
	r = layer_lower_equals(&upper->lower, path, fd, &st, &below, upper->err);
	group->dropped = r > 0;
	return r;
}

static void decide_node(const void *node, VISIT visit, void *cookie)
{
	struct decision *d = cookie;

	if (d->result >= 0 && (visit == postorder || visit == leaf))
		d->result = decide(d->upper, *(struct link_group *const *)node);
}

int upper_decide_links(struct layer_upper *upper)
{
	struct decision d = {.upper = upper};

	twalk_r(upper->groups, decide_node, &d);
	return d.result < 0 ? d.result : 0;
}
