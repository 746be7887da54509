/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_memo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"

enum { FIRST_ROOM = 1024 };

void layer_memo_release(struct layer_memo *memo)
{
	for (size_t i = 0; i < memo->count; i++)
		free(memo->directories[i].path);
	free(memo->directories);
	free(memo->names);
	*memo = (struct layer_memo){0};
}

void layer_memo_cut(struct layer_memo *memo, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < memo->count; i++)
		if (memo->directories[i].trees <= count)
			memo->directories[kept++] = memo->directories[i];
		else
			free(memo->directories[i].path);
	memo->count = kept;
}

/* --- names ---------------------------------------------------------------------------------------
 */

/* FNV-1a of "directory/name" or "name". Two paths of one hash: the second is looked for. */
static uint64_t hash_path(const char *directory, const char *name)
{
	const char *const parts[] = {directory, *directory ? "/" : "", name};
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		for (const char *c = parts[i]; *c; c++)
			hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
	return hash ? hash : 1;
}

static uint64_t *find_slot(const struct layer_memo *memo, uint64_t hash)
{
	size_t at = hash & (memo->name_room - 1);

	while (memo->names[at] && memo->names[at] != hash)
		at = (at + 1) & (memo->name_room - 1);
	return &memo->names[at];
}

static void grow_names(struct layer_memo *memo)
{
	struct layer_memo larger = {.name_room =
					    memo->name_room ? 2 * memo->name_room : FIRST_ROOM};

	larger.names = xcalloc(larger.name_room, sizeof(*larger.names));
	for (size_t i = 0; i < memo->name_room; i++)
		if (memo->names[i])
			*find_slot(&larger, memo->names[i]) = memo->names[i];
	free(memo->names);
	memo->names = larger.names;
	memo->name_room = larger.name_room;
}

/* False: there are too many. */
static bool add_name(struct layer_memo *memo, const char *directory, const char *name)
{
	uint64_t hash = hash_path(directory, name), *slot;

	if (memo->name_count == LAYER_MEMO_NAMES)
		return false;
	if (2 * memo->name_count >= memo->name_room)
		grow_names(memo);
	slot = find_slot(memo, hash);
	memo->name_count += *slot == 0;
	*slot = hash;
	return true;
}

static bool may_have(const struct layer_memo *memo, const char *path)
{
	return memo->name_room > 0 && *find_slot(memo, hash_path("", path)) != 0;
}

/* False: not all of the names are in the memo. */
static bool list_tree(struct layer_memo *memo, int tree, const char *path)
{
	int fd = openat(tree, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool added = true;

	if (!dir) {
		/* This tree has no such directory; the other ones do. */
		added = fd < 0 && (errno == ENOENT || errno == ENOTDIR);
		fd_close(&fd);
		return added;
	}
	while (added) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			added = errno == 0;
			break;
		}
		added = add_name(memo, path, entry->d_name);
	}
	(void)closedir(dir);
	return added;
}

static void list(struct layer_memo *memo, const struct layer_stacked *stack,
		 struct memo_directory *directory)
{
	size_t i = directory->listed > directory->found.bottom ? directory->listed
							       : directory->found.bottom;

	for (; i <= directory->found.top; i++)
		if (!list_tree(memo, stack[i].tree, directory->path))
			return;
	directory->listed = directory->trees;
}

/* --- directories ---------------------------------------------------------------------------------
 */

static struct memo_directory *recall(const struct layer_memo *memo, const char *path, size_t len)
{
	for (size_t i = 0; i < memo->count; i++)
		if (strncmp(memo->directories[i].path, path, len) == 0 &&
		    memo->directories[i].path[len] == '\0')
			return &memo->directories[i];
	return NULL;
}

/* Where it is full, those that are asked for again come back by themselves. */
static struct memo_directory *add(struct layer_memo *memo, const char *path)
{
	if (memo->count == LAYER_MEMO)
		layer_memo_release(memo);
	if (!memo->directories)
		memo->directories = xcalloc(LAYER_MEMO, sizeof(*memo->directories));
	memo->directories[memo->count] = (struct memo_directory){.path = xstrdup(path)};
	return &memo->directories[memo->count++];
}

static void remember(struct layer_memo *memo, const struct layer_stacked *stack, const char *path,
		     const struct memo_directory *seen)
{
	struct memo_directory *known = recall(memo, path, strlen(path));
	bool again = known != NULL;

	if (!known)
		known = add(memo, path);
	known->trees = seen->trees;
	known->parent_bottom = seen->parent_bottom;
	known->found = seen->found;
	if (again)
		list(memo, stack, known);
}

/* Nobody asks for the root, which every tree has. */
static void remember_root(struct layer_memo *memo, const struct layer_stacked *stack, size_t count)
{
	if (count > 0)
		remember(memo, stack, "",
			 &(struct memo_directory){.trees = count, .found = {.top = count - 1}});
}

/* No tree has the name in what is listed of its directory. */
static bool is_new(const struct layer_memo *memo, const char *path, size_t count)
{
	const struct memo_directory *parent = recall(memo, path, path_dir_len(path));

	return parent && parent->trees == count && parent->listed == count && !may_have(memo, path);
}

/* What was found above (r: of that), on top of what was there before. */
static void join(const struct memo_directory *before, int r, struct stack_found *found)
{
	if (r == 0)
		*found = before->found;
	else if (S_ISDIR(found->st.st_mode))
		found->bottom = before->found.bottom;
}

int layer_memo_find(struct layer_memo *memo, const struct layer_stacked *stack, size_t count,
		    size_t parent_bottom, const char *path, struct stack_found *ret)
{
	const struct memo_directory *known;
	bool use, ends;
	int r;

	if (!strchr(path, '/'))
		remember_root(memo, stack, count);
	if (is_new(memo, path, count))
		return 0;
	known = recall(memo, path, strlen(path));
	use = known && known->trees <= count && known->parent_bottom == parent_bottom;
	r = layer_stack_search(stack, use ? known->trees : parent_bottom, count, path, ret, &ends);
	if (r >= 0 && use && !ends) {
		join(known, r, ret);
		r = 1;
	}
	if (r <= 0 || !S_ISDIR(ret->st.st_mode))
		return r;
	remember(memo, stack, path,
		 &(struct memo_directory){
			 .trees = count, .parent_bottom = parent_bottom, .found = *ret});
	return r;
}
