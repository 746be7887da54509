/* SPDX-License-Identifier: Apache-2.0
 * An index over images of several platforms (image-spec image-index.md). */
#include <stdio.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "image/image.h"
#include "store/store.h"

static void copy_member(json_t *to, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);

	if (json_is_string(value))
		json_set(to, key, json_incref(value));
}

static json_t *entry_of(const struct image *image)
{
	json_t *entry = descriptor_to_json(&image->manifest_descriptor);
	json_t *platform = json_object();

	copy_member(platform, image->config, "os");
	copy_member(platform, image->config, "architecture");
	copy_member(platform, image->config, "variant");
	json_set(entry, "platform", platform);
	return entry;
}

static int refuse_twin(const json_t *manifests, const json_t *entry, const char *name,
		       struct varve_error *err)
{
	const json_t *platform = json_object_get(entry, "platform");
	const json_t *other;
	size_t i;

	json_array_foreach(manifests, i, other)
	{
		if (json_equal(json_object_get(other, "platform"), platform))
			return varve_error_set(err, -VARVE_E_USAGE,
					       "image %.200s is for %.30s/%.30s, as one before it",
					       name, json_optional_string(platform, "os", "?"),
					       json_optional_string(platform, "architecture", "?"));
	}
	return 0;
}

static int add_image(struct varve_store *store, const char *name, json_t *manifests,
		     struct varve_error *err)
{
	CLEANUP(image_release) struct image image = {0};
	CLEANUP(json_decrefp) json_t *entry = NULL;
	int r = image_open(store, name, &image, err);

	if (r < 0)
		return r;
	entry = entry_of(&image);
	r = refuse_twin(manifests, entry, name, err);
	if (r == 0)
		json_append(manifests, json_incref(entry));
	return r;
}

int image_write_index(struct varve_store *store, const char *name, const char *const *images,
		      size_t count, struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *document = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	json_t *manifests = json_array();
	struct varve_descriptor index = {.media_type = VARVE_MEDIA_INDEX};
	int r = 0;

	json_set(document, "schemaVersion", json_integer(2));
	json_set(document, "mediaType", json_text(VARVE_MEDIA_INDEX));
	json_set(document, "manifests", manifests);
	for (size_t i = 0; i < count && r == 0; i++)
		r = add_image(store, images[i], manifests, err);
	if (r < 0)
		return r;
	json_canonical(document, &text);
	index.size = text.len;
	r = store_blob_put(store, text.data, text.len, &index.digest, err);
	if (r == 0)
		r = store_index_set(store, name, &index, NULL, err);
	if (r == 0)
		*ret = index;
	return r;
}
