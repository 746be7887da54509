/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/image_verify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "audit/layer_files.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "layer/layer_tar.h"

static void check_urls(const struct image_side *side, struct verify_rows *rows)
{
	const json_t *layers = json_object_get(side->manifest.document, "layers"), *layer;
	const char *why = NULL;
	size_t i;

	json_array_foreach(layers, i, layer)
	{
		if (json_object_get(layer, "urls"))
			why = "a layer is to be fetched from elsewhere (urls)";
	}
	verify_rows_add(rows, "manifest", why);
}

static void check_history(const struct image_side *side, struct verify_rows *rows)
{
	const json_t *history = json_object_get(side->config, "history"), *one;
	CLEANUP(free_ptr) char *why = NULL;
	size_t i, filled = 0;

	json_array_foreach(history, i, one)
	{
		if (!json_is_true(json_object_get(one, "empty_layer")))
			filled++;
	}
	/* The history is optional; one that is there has an entry for each layer. */
	if (history && filled != side->layer_count)
		why = xasprintf("%zu layers, but the history tells of %zu", side->layer_count,
				filled);
	verify_rows_add(rows, "config: history", why);
}

static bool has_control(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name < 0x20 || *name == 0x7f)
			return true;
	return false;
}

static const char *hard_link_fault(const struct layer_files *files, const struct layer_file *file)
{
	CLEANUP(free_ptr) char *target = path_clean(file->link);
	const struct layer_file *there;

	if (!target)
		return "a hard link to outside of the image";
	there = layer_files_find(files, target);
	return there && there->order >= file->order ? "a hard link to a later entry" : NULL;
}

static const char *entry_fault(const struct layer_files *files, size_t i)
{
	const struct layer_file *file = &files->items[i];
	const char *base = path_base(file->path);

	if (file->path[0] && !path_is_clean(file->path))
		return "an unsafe name";
	if (has_control(file->path))
		return "a name with control characters";
	if (i > 0 && strcmp(file->path, files->items[i - 1].path) == 0)
		return "twice in one layer";
	if (strcmp(base, ".wh.") == 0 || strcmp(base, ".wh...") == 0 || strcmp(base, ".wh..") == 0)
		return "a whiteout of nothing";
	return file->type == TAR_LINK ? hard_link_fault(files, file) : NULL;
}

static char *entries_fault(const struct layer_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		const char *fault = entry_fault(files, i);

		if (fault)
			return xasprintf("%s: %s", files->items[i].path, fault);
	}
	return NULL;
}

static void check_layer(const struct image_side *side, size_t i, struct verify_rows *rows)
{
	const struct varve_descriptor *blob = &side->manifest.children[i + 1];
	CLEANUP(layer_files_release) struct layer_files files = {0};
	CLEANUP(free_ptr) char *what = xasprintf("layer %zu", i + 1), *why = NULL;
	struct varve_error err = {0};
	int fd = place_open(side->place, blob, &err), r = fd;

	if (fd >= 0) {
		r = layer_files_read(fd, blob, &files, &err);
		close(fd);
	}
	if (r < 0)
		why = xstrdup(err.text);
	else if (memcmp(&files.diff_id, &side->diff_ids[i], sizeof(files.diff_id)) != 0)
		why = xstrdup("unpacked it has another diff id than the config says");
	else
		why = entries_fault(&files);
	verify_rows_add(rows, what, why);
}

void image_verify(const struct image_side *side, struct verify_rows *rows)
{
	check_urls(side, rows);
	check_history(side, rows);
	for (size_t i = 0; i < side->layer_count; i++)
		check_layer(side, i, rows);
}
