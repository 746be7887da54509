/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_upper.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_walk.h"

/* A directory that the walk is in. */
struct level {
	size_t kept; /* entries that stay */
	bool below; /* the lower view has something at its path */
	bool implied;
	struct stat lower; /* of an implied one */
};

struct reduce {
	struct layer_upper *upper;
	struct level *levels; /* by depth; an entry's parent is levels[depth] */
	size_t alloc;
};

static void reduce_release(struct reduce *c)
{
	free(c->levels);
}

/* path is where the runner mounted something, or leads to it. */
static bool is_mount(const struct layer_rules *rules, const char *path, bool or_above)
{
	size_t len = strlen(path);

	for (size_t i = 0; rules->mounts && rules->mounts[i]; i++) {
		const char *mount = rules->mounts[i];

		if (strncmp(mount, path, len) == 0 &&
		    (mount[len] == '\0' || (or_above && mount[len] == '/')))
			return true;
	}
	return false;
}

static int reduce_directory(struct reduce *c, const struct walk_entry *e)
{
	struct level *level;
	struct stat below;
	int r;

	c->levels = array_grow(c->levels, e->depth + 1, &c->alloc, sizeof(*c->levels));
	level = &c->levels[e->depth + 1];
	*level = (struct level){.kept = 0};
	r = layer_lower_find(&c->upper->lower, e->path, &below, NULL, c->upper->err);
	if (r <= 0)
		return r;
	level->below = true;
	r = layer_lower_equals(&c->upper->lower, e->path, e->dirfd, &e->st, &level->lower,
			       c->upper->err);
	level->implied = r > 0;
	return r < 0 ? r : 0;
}

static int leave_directory(struct reduce *c, const struct walk_entry *e)
{
	struct level *level = &c->levels[e->depth + 1];
	bool trace = !level->below && is_mount(c->upper->rules, e->path, true);

	if (level->kept == 0 && (level->implied || trace))
		return upper_unlink(c->upper, e->dirfd, e->path, AT_REMOVEDIR);
	c->levels[e->depth].kept++;
	if (!level->implied)
		return upper_set_time(c->upper, e->dirfd, e->path,
				      upper_clamp(c->upper, e->st.st_mtim));
	strv_add(&c->upper->implied, e->path);
	return upper_set_time(c->upper, e->dirfd, e->path, level->lower.st_mtim);
}

/* 1: the entry says nothing that the lower view does not. */
static int is_void(struct reduce *c, const struct walk_entry *e)
{
	struct stat below;
	int r;

	if (!e->whiteout) {
		r = upper_is_unchanged(c->upper, e->path, e->dirfd, &e->st, &below);
		if (r != 0)
			return r;
	}
	r = layer_lower_find(&c->upper->lower, e->path, &below, NULL, c->upper->err);
	if (r < 0)
		return r;
	if (e->whiteout)
		return r == 0;
	return r == 0 && S_ISREG(e->st.st_mode) && e->st.st_size == 0 &&
	       is_mount(c->upper->rules, e->path, false);
}

static int reduce_other(struct reduce *c, const struct walk_entry *e)
{
	int r = is_void(c, e);

	if (r < 0)
		return r;
	if (r > 0)
		return upper_unlink(c->upper, e->dirfd, e->path, 0);
	c->levels[e->depth].kept++;
	if (e->whiteout)
		return 0;
	return upper_set_time(c->upper, e->dirfd, e->path, upper_clamp(c->upper, e->st.st_mtim));
}

static int reduce_event(struct reduce *c, const struct walk_entry *e)
{
	if (e->leave)
		return leave_directory(c, e);
	return S_ISDIR(e->st.st_mode) ? reduce_directory(c, e) : reduce_other(c, e);
}

int upper_reduce(struct layer_upper *upper)
{
	CLEANUP(reduce_release) struct reduce c = {.upper = upper};
	CLEANUP(layer_walk_freep) struct layer_walk *walk = NULL;
	struct walk_entry e;
	int r;

	c.levels = array_grow(NULL, 0, &c.alloc, sizeof(*c.levels));
	r = layer_walk_new(upper->root, upper->rules->owners, &walk, upper->err);
	if (r < 0)
		return r;
	while ((r = layer_walk_next(walk, &e, upper->err)) > 0) {
		r = reduce_event(&c, &e);
		if (r < 0)
			return r;
	}
	return r;
}
