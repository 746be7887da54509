/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/whiteouts.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/strv.h"
#include "layer/layer_tar.h"

#define OPAQUE ".wh..wh..opq"
#define PREFIX ".wh."
enum { PREFIX_LEN = sizeof(PREFIX) - 1 };

bool is_whiteout(const char *path)
{
	return str_starts(path_base(path), PREFIX);
}

/* Whether the layer has DIR/PREFIX NAME; dir: the first dir_len bytes of path. */
static bool has_mark(const struct layer_files *layer, const char *path, size_t dir_len,
		     const char *prefix, const char *name, size_t name_len)
{
	CLEANUP(free_ptr)
	char *mark = xasprintf("%.*s%s%s%.*s", (int)dir_len, path, dir_len ? "/" : "", prefix,
			       (int)name_len, name);

	return layer_files_find(layer, mark) != NULL;
}

static bool replaces_directory(const struct layer_files *layer, const char *path, size_t len)
{
	CLEANUP(free_ptr) char *ancestor = xstrndup(path, len);
	const struct layer_file *file = layer_files_find(layer, ancestor);

	return file && file->type != TAR_DIRECTORY;
}

/* Whether the layer takes the path away from below, itself or with a directory above it. */
static bool hides(const struct layer_files *layer, const char *path)
{
	size_t start = 0;

	for (;;) { /* the component [start, end), in the directory [0, start - 1) */
		size_t dir_len = start ? start - 1 : 0;
		size_t len = strcspn(path + start, "/");

		if (has_mark(layer, path, dir_len, OPAQUE, "", 0) ||
		    has_mark(layer, path, dir_len, PREFIX, path + start, len))
			return true;
		if (path[start + len] == '\0')
			return false;
		if (replaces_directory(layer, path, start + len))
			return true;
		start += len + 1;
	}
}

void whiteouts_stack(struct strv *below, const struct layer_files *layer)
{
	CLEANUP(strv_release) struct strv merged = STRV_INIT;
	size_t i = 0, k = 0;

	while (i < below->count || k < layer->count) {
		int side = i == below->count   ? 1
			   : k == layer->count ? -1
					       : strcmp(below->items[i], layer->items[k].path);

		if (side < 0) {
			if (!hides(layer, below->items[i]))
				strv_add(&merged, below->items[i]);
			i++;
			continue;
		}
		if (!is_whiteout(layer->items[k].path) &&
		    (merged.count == 0 ||
		     !str_equal(merged.items[merged.count - 1], layer->items[k].path)))
			strv_add(&merged, layer->items[k].path);
		i += side == 0;
		k++;
	}
	strv_release(below);
	*below = merged;
	merged = (struct strv)STRV_INIT;
}

/* The first path of below that is not before text. */
static size_t lower_bound(const struct strv *below, const char *text)
{
	size_t low = 0, high = below->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(below->items[middle], text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool same_for(const char *path, const struct layer_files *mine,
		     const struct layer_files *other)
{
	return hides(other, path) ||
	       (layer_files_find(mine, path) && layer_files_find(other, path));
}

bool whiteout_comes_to_the_same(const struct strv *below, const char *whiteout,
				const struct layer_files *mine, const struct layer_files *other)
{
	size_t dir_len = path_dir_len(whiteout);
	bool opaque = str_equal(path_base(whiteout), OPAQUE);
	CLEANUP(free_ptr) char *dir = xstrndup(whiteout, dir_len);
	CLEANUP(free_ptr)
	char *target = opaque ? xstrdup(dir) : path_join(dir, path_base(whiteout) + PREFIX_LEN);
	CLEANUP(free_ptr) char *inside = *target ? xasprintf("%s/", target) : xstrdup("");

	/* "a", "a-b", "a/c": what is below a name need not follow it at once. */
	if (!opaque && *target) {
		size_t at = lower_bound(below, target);

		if (at < below->count && str_equal(below->items[at], target) &&
		    !same_for(target, mine, other))
			return false;
	}
	for (size_t i = lower_bound(below, inside);
	     i < below->count && str_starts(below->items[i], inside); i++)
		if (!same_for(below->items[i], mine, other))
			return false;
	return true;
}
