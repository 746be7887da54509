/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
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

/* In the trees to-1..from. *ret_ends: what lies below those does not show. */
static int search(const struct layer_stacked *stack, size_t from, size_t to, const char *path,
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

	return search(stack, parent_bottom, count, path, ret, &ends);
}

/* --- memo ----------------------------------------------------------------------------------------
 */

void stack_memo_cut(struct stack_memo *memo, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < memo->count; i++)
		if (memo->directories[i].trees <= count)
			memo->directories[kept++] = memo->directories[i];
		else
			free(memo->directories[i].path);
	memo->count = kept;
}

void stack_memo_release(struct stack_memo *memo)
{
	for (size_t i = 0; i < memo->count; i++)
		free(memo->directories[i].path);
	free(memo->directories);
	*memo = (struct stack_memo){0};
}

static struct stack_directory *recall(struct stack_memo *memo, const char *path)
{
	for (size_t i = 0; i < memo->count; i++)
		if (str_equal(memo->directories[i].path, path))
			return &memo->directories[i];
	return NULL;
}

/* Where it is full, those that are asked for again come back by themselves. */
static struct stack_directory *remember(struct stack_memo *memo, const char *path)
{
	if (memo->count == STACK_MEMO)
		stack_memo_release(memo);
	if (!memo->directories)
		memo->directories = xcalloc(STACK_MEMO, sizeof(*memo->directories));
	memo->directories[memo->count] = (struct stack_directory){.path = xstrdup(path)};
	return &memo->directories[memo->count++];
}

/* What was found above (r: of that), on top of what was there before. */
static void join(const struct stack_directory *before, int r, struct stack_found *found)
{
	if (r == 0)
		*found = before->found;
	else if (S_ISDIR(found->st.st_mode))
		found->bottom = before->found.bottom;
}

int stack_memo_find(struct stack_memo *memo, const struct layer_stacked *stack, size_t count,
		    size_t parent_bottom, const char *path, struct stack_found *ret)
{
	struct stack_directory *known = recall(memo, path);
	bool use = known && known->trees <= count && known->parent_bottom == parent_bottom, ends;
	int r = search(stack, use ? known->trees : parent_bottom, count, path, ret, &ends);

	if (r >= 0 && use && !ends) {
		join(known, r, ret);
		r = 1;
	}
	if (r <= 0 || !S_ISDIR(ret->st.st_mode))
		return r;
	if (!known)
		known = remember(memo, path);
	known->trees = count;
	known->parent_bottom = parent_bottom;
	known->found = *ret;
	return r;
}
