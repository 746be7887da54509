/* SPDX-License-Identifier: Apache-2.0
 * Directories that overlayfs would show with the attributes of a mere parent. */
#include "layer/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"
#include "layer/layer_stack.h"
#include "layer/layer_xattr.h"

struct parents {
	const struct layer_stacked *stack;
	size_t count;
	const struct owners *owners;
	int fixup;
	struct made *made;
	size_t made_count, made_alloc;
	struct level *levels; /* of the directory that was located last */
	size_t level_count, level_alloc;
};

/* A component of a path that was located: neighbours share most of theirs. */
struct level {
	char *path;
	struct stack_found found;
	int result; /* of looking for it: 1, 0 or negative */
};

/* A directory of the fixup; making what is in it would change its time, so that is set last. */
struct made {
	char *path;
	struct timespec mtime;
};

static void parents_release(struct parents *p)
{
	for (size_t i = 0; i < p->made_count; i++)
		free(p->made[i].path);
	for (size_t i = 0; i < p->level_count; i++)
		free(p->levels[i].path);
	free(p->levels);
	free(p->made);
}

struct attributes {
	struct stat st;
	struct layer_xattrs xattrs;
};

static void attributes_release(struct attributes *a)
{
	layer_xattrs_release(&a->xattrs);
}

static int read_attributes(const struct parents *p, size_t i, const char *path,
			   struct attributes *ret)
{
	CLEANUP(fd_close) int fd = -1;
	int r;

	fd = openat(p->stack[i].tree, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &ret->st) < 0)
		return -errno;
	r = owner_read(p->owners, p->stack[i].tree, path, &ret->st);
	return r < 0 ? r : layer_xattrs_read(fd, LAYER_XATTR_TREE, &ret->xattrs);
}

static bool attributes_equal(const struct attributes *a, const struct attributes *b)
{
	return a->st.st_mode == b->st.st_mode && a->st.st_uid == b->st.st_uid &&
	       a->st.st_gid == b->st.st_gid && a->st.st_mtim.tv_sec == b->st.st_mtim.tv_sec &&
	       a->st.st_mtim.tv_nsec == b->st.st_mtim.tv_nsec &&
	       layer_xattrs_equal(&a->xattrs, &b->xattrs);
}

/* The tree whose tar entry gave the directory its attributes. A layer that made an existing
 * directory opaque without an entry for it hides its content, not its attributes: hence not
 * found->bottom. */
static size_t provider(const struct parents *p, const struct stack_found *found,
		       size_t parent_bottom, const char *path)
{
	struct stat st;

	for (size_t i = found->top + 1; i-- > parent_bottom;) {
		if (fstatat(p->stack[i].tree, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!S_ISDIR(st.st_mode))
			break;
		if (!layer_implied_has(p->stack[i].implied, path))
			return i;
	}
	return found->top;
}

static int set_attributes(const struct parents *p, const char *path, const struct attributes *a)
{
	CLEANUP(fd_close) int fd = -1;
	int r = owner_write(p->owners, p->fixup, path, a->st.st_uid, a->st.st_gid);

	if (r < 0)
		return r;
	fd = openat(p->fixup, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, a->st.st_mode & 07777) < 0)
		return -errno;
	return layer_xattrs_write(fd, LAYER_XATTR_TREE, &a->xattrs);
}

static void cut_levels(struct parents *p, size_t count)
{
	while (p->level_count > count)
		free(p->levels[--p->level_count].path);
}

/* The component of path that ends at len, at depth; its parent is the level above. */
static const struct level *find_level(struct parents *p, const char *path, size_t len, size_t depth)
{
	struct level *level;
	size_t bottom = depth > 0 ? p->levels[depth - 1].found.bottom : 0;

	if (depth < p->level_count && strncmp(p->levels[depth].path, path, len) == 0 &&
	    p->levels[depth].path[len] == '\0')
		return &p->levels[depth];
	cut_levels(p, depth);
	p->levels = array_grow(p->levels, p->level_count, &p->level_alloc, sizeof(*p->levels));
	level = &p->levels[p->level_count++];
	*level = (struct level){.path = xstrndup(path, len)};
	level->result = layer_stack_find(p->stack, p->count, bottom, level->path, &level->found);
	return level;
}

/* Which tree has the directory at path, and which one provides its attributes. 0: the merged view
 * has no directory there. */
static int locate(struct parents *p, const char *path, size_t *ret_top, size_t *ret_provider)
{
	size_t bottom = 0, len = strcspn(path, "/"), depth = 0;

	for (;;) {
		const struct level *level = find_level(p, path, len, depth++);
		const struct stack_found *found = &level->found;

		if (level->result <= 0 || !S_ISDIR(found->st.st_mode))
			return level->result < 0 ? level->result : 0;
		if (path[len] == '\0') {
			*ret_top = found->top;
			*ret_provider = provider(p, found, bottom, path);
			return 1;
		}
		bottom = found->bottom;
		len += 1 + strcspn(path + len + 1, "/");
	}
}

/* Makes path, whose parent is made, as the image shall show it. */
static int make_one(struct parents *p, const char *path)
{
	CLEANUP(attributes_release) struct attributes a = {.xattrs = LAYER_XATTRS_INIT};
	size_t top, provided_by;
	int r;

	if (mkdirat(p->fixup, path, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	r = locate(p, path, &top, &provided_by);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = read_attributes(p, provided_by, path, &a);
	if (r < 0)
		return r;
	p->made = array_grow(p->made, p->made_count, &p->made_alloc, sizeof(*p->made));
	p->made[p->made_count++] = (struct made){xstrdup(path), a.st.st_mtim};
	return set_attributes(p, path, &a);
}

static int make_chain(struct parents *p, const char *path)
{
	size_t len = 0;
	int r;

	do {
		CLEANUP(free_ptr) char *part = NULL;

		len += strcspn(path + len, "/");
		part = xstrndup(path, len);
		r = make_one(p, part);
		if (r < 0)
			return r;
	} while (path[len++] == '/');
	return 0;
}

/* Only a directory that the topmost tree implies may be shown wrongly. */
static int examine(struct parents *p, const char *path)
{
	CLEANUP(attributes_release) struct attributes shown = {.xattrs = LAYER_XATTRS_INIT};
	CLEANUP(attributes_release) struct attributes right = {.xattrs = LAYER_XATTRS_INIT};
	size_t top = 0, provided_by = 0;
	int r = locate(p, path, &top, &provided_by);

	if (r <= 0 || provided_by == top || !layer_implied_has(p->stack[top].implied, path))
		return r < 0 ? r : 0;
	r = read_attributes(p, top, path, &shown);
	if (r == 0)
		r = read_attributes(p, provided_by, path, &right);
	if (r < 0 || attributes_equal(&shown, &right))
		return r;
	return make_chain(p, path);
}

static int set_time(int root, const char *path, struct timespec mtime)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime};

	return utimensat(root, path, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* The root of every tree is 0755 0:0 and of time 0. */
static int finish(struct parents *p)
{
	int r;

	if (p->made_count == 0)
		return 0;
	for (size_t i = 0; i < p->made_count; i++) {
		r = set_time(p->fixup, p->made[i].path, p->made[i].mtime);
		if (r < 0)
			return r;
	}
	r = owner_write(p->owners, p->fixup, ".", 0, 0);
	if (r < 0)
		return r;
	if (fchmod(p->fixup, 0755) < 0)
		return -errno;
	return set_time(p->fixup, ".", (struct timespec){0});
}

/* What any tree implies, each once: most do so of the same directories. */
static void all_implied(const struct parents *p, struct strv *ret)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->count; i++)
		if (p->stack[i].implied)
			strv_extend(ret, p->stack[i].implied);
	strv_sort(ret);
	for (size_t i = 0; i < ret->count; i++) {
		if (kept > 0 && str_equal(ret->items[kept - 1], ret->items[i]))
			free(ret->items[i]);
		else
			ret->items[kept++] = ret->items[i];
	}
	if (ret->count > 0)
		ret->items[kept] = NULL;
	ret->count = kept;
}

int layer_parents(const struct layer_stacked *stack, size_t count, const struct owners *owners,
		  int fixup, struct varve_error *err)
{
	CLEANUP(parents_release)
	struct parents p = {.stack = stack, .count = count, .owners = owners, .fixup = fixup};
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	int r;

	all_implied(&p, &implied);
	for (size_t i = 0; i < implied.count; i++) {
		r = examine(&p, implied.items[i]);
		if (r < 0)
			return varve_error_set(err, r, "attributes of %s", implied.items[i]);
	}
	r = finish(&p);
	if (r < 0)
		return varve_error_set(err, r, "attributes of repaired directories");
	return (int)p.made_count;
}
