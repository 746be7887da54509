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
static int find_bottom(const struct layer_stacked *stack, size_t parent_bottom, const char *path,
		       struct stack_found *found)
{
	struct stat st;

	found->bottom = found->top;
	for (size_t i = found->top + 1; i-- > parent_bottom;) {
		int r = find_in(&stack[i], path, &st);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (!S_ISDIR(st.st_mode))
			break;
		found->bottom = i;
		r = is_opaque(stack[i].tree, path);
		if (r < 0)
			return r;
		if (r > 0)
			break;
	}
	return 1;
}

int layer_stack_find(const struct layer_stacked *stack, size_t count, size_t parent_bottom,
		     const char *path, struct stack_found *ret)
{
	for (size_t i = count; i-- > parent_bottom;) {
		int r = find_in(&stack[i], path, &ret->st);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (layer_is_whiteout(&ret->st))
			return 0;
		ret->top = i;
		ret->bottom = i;
		return S_ISDIR(ret->st.st_mode) ? find_bottom(stack, parent_bottom, path, ret) : 1;
	}
	return 0;
}
