/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/image_diff.h"

#include <stdlib.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/place_copy.h"

enum { CONFIG_LIMIT = 4 << 20 };

void image_side_release(struct image_side *side)
{
	manifest_release(&side->manifest);
	json_decref(side->config);
	free(side->diff_ids);
	*side = (struct image_side){0};
}

static int read_config(struct image_side *side, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = place_read(side->place, &side->manifest.children[0], CONFIG_LIMIT, &text, err);

	return r < 0 ? r : json_parse(buf_text(&text), text.len, "config", &side->config, err);
}

static int read_diff_ids(struct image_side *side, struct varve_error *err)
{
	json_t *rootfs = NULL, *ids = NULL, *id;
	size_t i;
	int r = json_get_object(side->config, "rootfs", &rootfs, err);

	if (r == 0)
		r = json_get_array(rootfs, "diff_ids", &ids, err);
	if (r < 0)
		return r;
	if (json_array_size(ids) != side->layer_count)
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "%zu layers in the manifest, %zu diff ids in the config",
				       side->layer_count, json_array_size(ids));
	side->diff_ids = xcalloc(side->layer_count + 1, sizeof(*side->diff_ids));
	json_array_foreach(
		ids, i,
		id) if (!json_is_string(id) ||
			varve_digest_parse(json_string_value(id), &side->diff_ids[i]) <
				0) return varve_error_set(err, -VARVE_E_FORMAT,
							  "config: diff id %zu is no sha256 digest",
							  i + 1);
	return 0;
}

static int read_side(struct image_side *side, const struct varve_descriptor *root,
		     struct varve_error *err)
{
	int r = place_get_manifest(side->place, root, &side->manifest, err);

	if (r < 0)
		return r;
	if (side->manifest.is_index || side->manifest.child_count == 0)
		return varve_error_set(err, -VARVE_E_FORMAT, "no manifest of an image");
	side->layer_count = side->manifest.child_count - 1;
	r = read_config(side, err);
	return r < 0 ? r : read_diff_ids(side, err);
}

int image_side_open(struct place *place, const char *name, const struct varve_descriptor *root,
		    struct image_side *ret, struct varve_error *err)
{
	CLEANUP(image_side_release) struct image_side side = {.place = place, .name = name};
	int r = read_side(&side, root, err);

	if (r < 0) {
		varve_error_prefix(err, "%.300s", name);
		return r;
	}
	*ret = side;
	side = (struct image_side){0};
	return 0;
}
