/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_upper.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_match.h"
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

static bool mode_is_stated(const struct layer_rules *rules, const char *path)
{
	for (size_t i = 0; i < rules->ownership_count; i++)
		if (rules->ownership[i].mode >= 0 && layer_match(rules->ownership[i].path, path))
			return true;
	return false;
}

/* Whom it was given to is lost: with the bit it would be a gift of root's rights to everybody. */
static int refuse_gift(struct reduce *c, const struct walk_entry *e, const struct stat *below)
{
	mode_t gained = e->st.st_mode & (S_ISUID | S_ISGID);

	if (below)
		gained &= ~below->st_mode;
	if (!S_ISREG(e->st.st_mode) || gained == 0 || mode_is_stated(c->upper->rules, e->path))
		return 0;
	(void)varve_error_set(
		c->upper->err, -VARVE_E_STEP,
		"/%s is %s now, and its owner could not be recorded here: it would be "
		"root's",
		e->path, gained & S_ISUID ? "setuid" : "setgid");
	varve_error_hint(
		c->upper->err,
		"state what is meant in the step: ownership: [{path: /%s, uid: .., gid: .., "
		"mode: \"%o\"}]",
		e->path, e->st.st_mode & 07777);
	return -VARVE_E_STEP;
}

/* What stays in spite of owners that nobody saw. */
static int doubt(struct reduce *c, const struct walk_entry *e)
{
	struct stat below;
	int r;

	if (c->upper->rules->trust == LAYER_EXACT || e->whiteout)
		return 0;
	r = layer_lower_find(&c->upper->lower, e->path, &below, NULL, c->upper->err);
	if (r < 0)
		return r;
	if (c->upper->rules->trust == LAYER_LOST)
		return refuse_gift(c, e, r > 0 ? &below : NULL);
	if (r > 0 && (below.st_uid != e->st.st_uid || below.st_gid != e->st.st_gid))
		upper_notice(c->upper,
			     "/%s: %u:%u below, %u:%u now: meant so? (ownership: fast hides owners "
			     "from commands)",
			     e->path, below.st_uid, below.st_gid, e->st.st_uid, e->st.st_gid);
	return 0;
}

static int reduce_other(struct reduce *c, const struct walk_entry *e)
{
	int r = is_void(c, e);

	if (r < 0)
		return r;
	if (r > 0)
		return upper_unlink(c->upper, e->dirfd, e->path, 0);
	r = doubt(c, e);
	if (r < 0)
		return r;
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
