/* SPDX-License-Identifier: Apache-2.0
 * Laying layers on each other, and finding paths in the result. Pure. */
#include "audit/image_content.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/strv.h"
#include "layer/layer_tar.h"

enum { LINK_MAXIMUM = 40 };

static const char mark[] = ".wh.", opaque[] = ".wh..wh..opq";

/* What a layer takes away from those below; lists are sorted. */
struct removal {
	struct strv
		below; /* what lies below these is gone: opaque, deleted, no directory any more */
	struct strv whole; /* these are gone */
};

static void removal_release(struct removal *removal)
{
	strv_release(&removal->below);
	strv_release(&removal->whole);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(a, *(char *const *)b);
}

static bool has(const struct strv *sorted, const char *text)
{
	return sorted->count > 0 &&
	       bsearch(text, sorted->items, sorted->count, sizeof(*sorted->items), compare_texts);
}

static void note_removal(struct removal *removal, const struct content_file *file)
{
	const char *name = path_base(file->path);
	size_t dir = path_dir_len(file->path);

	if (strcmp(name, opaque) == 0) {
		strv_take(&removal->below, xstrndup(file->path, dir));
	} else if (str_starts(name, mark)) {
		char *gone = xasprintf("%.*s%s%s", (int)dir, file->path, dir > 0 ? "/" : "",
				       name + sizeof(mark) - 1);

		strv_add(&removal->below, gone);
		strv_take(&removal->whole, gone);
	} else if (file->type != TAR_DIRECTORY) {
		strv_add(&removal->below, file->path);
	}
}

static bool is_removed(const struct removal *removal, const char *path)
{
	CLEANUP(free_ptr) char *above = xstrdup(path);
	size_t len = path_dir_len(path);

	if (has(&removal->whole, path))
		return true;
	for (; len > 0; len = path_dir_len(above)) {
		above[len] = '\0';
		if (has(&removal->below, above))
			return true;
	}
	return has(&removal->below, "");
}

static int by_path(const void *left, const void *right)
{
	const struct content_file *a = left, *b = right;

	return strcmp(a->path, b->path);
}

static int by_path_and_order(const void *left, const void *right)
{
	const struct content_file *a = left, *b = right;
	int r = strcmp(a->path, b->path);

	if (r != 0)
		return r;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Another name has the data of the file that it is a link to, which came before. */
static void fill_links(struct image_content *sorted)
{
	for (size_t i = 0; i < sorted->count; i++) {
		struct content_file *file = &sorted->items[i];
		CLEANUP(free_ptr)
		char *target = file->type == TAR_LINK ? path_clean(file->link) : NULL;
		const struct content_file *to = target ? image_content_find(sorted, target) : NULL;

		if (!to || to->type != TAR_FILE)
			continue;
		file->sha256 = to->sha256;
		memcpy(file->sha1, to->sha1, sizeof(file->sha1));
		if (to->text && image_content_keeps(file->path))
			file->text = xstrdup(to->text);
	}
}

/* The last entry of a name counts. Marks are no files. */
static void drop_marks_and_doubles(struct image_content *sorted)
{
	size_t kept = 0;

	for (size_t i = 0; i < sorted->count; i++) {
		struct content_file *file = &sorted->items[i];
		bool again = i + 1 < sorted->count && strcmp(file->path, file[1].path) == 0;

		if (again || str_starts(path_base(file->path), mark)) {
			content_file_release(file);
		} else {
			sorted->items[kept++] = *file;
		}
	}
	sorted->count = kept;
}

/* Both are sorted; upper's entries win. */
static void merge(struct image_content *below, struct image_content *upper,
		  const struct removal *removal)
{
	struct image_content all = {.alloc = below->count + upper->count};
	size_t b = 0, u = 0;

	all.items = xcalloc(all.alloc + 1, sizeof(*all.items));
	while (b < below->count || u < upper->count) {
		int order = b == below->count   ? 1
			    : u == upper->count ? -1
						: by_path(&below->items[b], &upper->items[u]);
		bool gone = order == 0 || (order < 0 && is_removed(removal, below->items[b].path));

		if (gone) {
			content_file_release(&below->items[b]);
		} else {
			all.items[all.count++] = order < 0 ? below->items[b] : upper->items[u];
		}
		b += order <= 0;
		u += order > 0;
	}
	free(below->items);
	free(upper->items);
	*below = all;
	*upper = (struct image_content){0};
}

void image_content_lay(struct image_content *below, struct image_content *take_layer)
{
	CLEANUP(removal_release) struct removal removal = {STRV_INIT, STRV_INIT};

	for (size_t i = 0; i < take_layer->count; i++)
		note_removal(&removal, &take_layer->items[i]);
	strv_sort(&removal.below);
	strv_sort(&removal.whole);
	if (take_layer->count > 1)
		qsort(take_layer->items, take_layer->count, sizeof(*take_layer->items),
		      by_path_and_order);
	drop_marks_and_doubles(take_layer);
	fill_links(take_layer);
	merge(below, take_layer, &removal);
}

/* --- finding -------------------------------------------------------------------------------------
 */

const struct content_file *image_content_find(const struct image_content *content, const char *path)
{
	const struct content_file wanted = {.path = (char *)(uintptr_t)path};

	if (content->count == 0)
		return NULL;
	return bsearch(&wanted, content->items, content->count, sizeof(*content->items), by_path);
}

/* DIR/LINK + the rest of the path, or LINK + the rest where it is absolute; NULL: leads out. */
static char *follow(const struct content_file *link, const char *rest)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(buf_release) struct buf clean = BUF_INIT;
	char *part, *at;

	if (link->link[0] != '/')
		buf_addf(&text, "%.*s/", (int)path_dir_len(link->path), link->path);
	buf_addf(&text, "%s/%s", link->link, rest);
	for (part = strtok_r(text.data, "/", &at); part; part = strtok_r(NULL, "/", &at)) {
		if (strcmp(part, "..") == 0) {
			clean.len = path_dir_len(buf_text(&clean));
			if (clean.data)
				clean.data[clean.len] = '\0';
		} else if (strcmp(part, ".") != 0) {
			buf_addf(&clean, "%s%s", clean.len > 0 ? "/" : "", part);
		}
	}
	return buf_steal(&clean);
}

/* The first directory of the path that is a link; what follows it is ret_rest. */
static const struct content_file *first_link(const struct image_content *content, const char *path,
					     const char **ret_rest)
{
	CLEANUP(free_ptr) char *dir = xstrdup(path);

	for (char *slash = strchr(dir, '/'); slash; slash = strchr(slash + 1, '/')) {
		const struct content_file *file;

		*slash = '\0';
		file = image_content_find(content, dir);
		*slash = '/';
		if (file && file->type == TAR_SYMLINK) {
			*ret_rest = path + (slash - dir) + 1;
			return file;
		}
	}
	return NULL;
}

const struct content_file *image_content_resolve(const struct image_content *content,
						 const char *path)
{
	const struct content_file *found = image_content_find(content, path), *link;
	CLEANUP(free_ptr) char *at = NULL;
	const char *rest;

	for (unsigned links = 0; !found && links < LINK_MAXIMUM; links++) {
		char *next;

		link = first_link(content, at ? at : path, &rest);
		if (!link)
			return NULL;
		next = follow(link, rest);
		free(at);
		at = next;
		found = image_content_find(content, at);
	}
	return found;
}
