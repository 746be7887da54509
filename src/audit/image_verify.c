/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/image_verify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "audit/layer_files.h"
#include "base/buf.h"
#include "base/cleanup.h"

static void check_documents(const struct image_side *side, struct verify_rows *rows)
{
	CLEANUP(free_ptr) char *manifest = verify_manifest(side->manifest.document);
	CLEANUP(free_ptr) char *config = verify_config(side->config);

	verify_rows_add(rows, "manifest", manifest);
	verify_rows_add(rows, "config", config);
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

/* Negative: it could not be read. */
static int check_layer(const struct image_side *side, size_t i, struct layer_files *files,
		       struct verify_rows *rows)
{
	const struct varve_descriptor *blob = &side->manifest.children[i + 1];
	CLEANUP(free_ptr) char *what = xasprintf("layer %zu", i + 1), *why = NULL;
	struct varve_error err = {0};
	int fd = place_open(side->place, blob, &err), r = fd;

	if (fd >= 0) {
		r = layer_files_read(fd, blob, files, &err);
		close(fd);
	}
	if (r < 0)
		why = xstrdup(err.text);
	else if (memcmp(&files->diff_id, &side->diff_ids[i], sizeof(files->diff_id)) != 0)
		why = xstrdup("unpacked it has another diff id than the config says");
	else
		why = verify_entries(files);
	verify_rows_add(rows, what, why);
	return r;
}

bool image_verify(const struct image_side *side, struct layer_files *ret_layers,
		  struct verify_rows *rows)
{
	bool whole = true;

	check_documents(side, rows);
	check_history(side, rows);
	for (size_t i = 0; i < side->layer_count; i++) {
		CLEANUP(layer_files_release) struct layer_files own = {0};
		struct layer_files *files = ret_layers ? &ret_layers[i] : &own;

		whole = check_layer(side, i, files, rows) == 0 && whole;
	}
	return whole;
}
