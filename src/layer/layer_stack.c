/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"
#include "layer/layer_walk.h"
#include "layer/layer_xattr.h"

static int compare_text(const void *key, const void *item)
{
	return strcmp(key, *(const char *const *)item);
}

bool layer_implied_has(const struct strv *implied, const char *path)
{
	return implied && implied->count > 0 &&
	       bsearch(path, implied->items, implied->count, sizeof(*implied->items), compare_text);
}

/* No component of path but the last can be a symlink in the trees that we ask: within parent_bottom
 * they have a directory there or nothing. */
static int find_in(const struct layer_stacked *tree, const char *path, struct stat *ret)
{
	int r = 0;

	if (fstatat(tree->tree, path, ret, AT_SYMLINK_NOFOLLOW) == 0) {
		if (tree->owners && tree->owners->file_whiteouts && S_ISREG(ret->st_mode))
			r = owner_read(tree->owners, tree->tree, path, ret);
		return r < 0 ? r : 1;
	}
	return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

static int is_opaque(int tree, const char *path)
{
	CLEANUP(fd_close) int fd = -1;

	fd = openat(tree, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : layer_xattr_opaque(fd);
}

/* The lowest tree whose directory at path merges into the one of tree top. */
static int find_bottom(const struct layer_stacked *stack, size_t from, const char *path,
		       struct stack_found *found, bool *ret_ends)
{
	struct stat st;

	for (size_t i = found->top + 1; i-- > from && !*ret_ends;) {
		int r = find_in(&stack[i], path, &st);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		*ret_ends = !S_ISDIR(st.st_mode);
		if (*ret_ends)
			break;
		found->bottom = i;
		r = is_opaque(stack[i].tree, path);
		if (r < 0)
			return r;
		*ret_ends = r > 0;
	}
	return 1;
}

int layer_stack_search(const struct layer_stacked *stack, size_t from, size_t to, const char *path,
		       struct stack_found *ret, bool *ret_ends)
{
	*ret_ends = false;
	for (size_t i = to; i-- > from;) {
		int r = find_in(&stack[i], path, &ret->st);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		ret->top = i;
		ret->bottom = i;
		if (S_ISDIR(ret->st.st_mode))
			return find_bottom(stack, from, path, ret, ret_ends);
		*ret_ends = true;
		return layer_is_whiteout(&ret->st) ? 0 : 1;
	}
	return 0;
}

int layer_stack_find(const struct layer_stacked *stack, size_t count, size_t parent_bottom,
		     const char *path, struct stack_found *ret)
{
	bool ends;

	return layer_stack_search(stack, parent_bottom, count, path, ret, &ends);
}
