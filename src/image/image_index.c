/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_index.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "image/image_document.h"

json_t *image_index_new(void)
{
	json_t *index = json_object();

	json_set(index, "schemaVersion", json_integer(2));
	json_set(index, "mediaType", json_text(VARVE_MEDIA_INDEX));
	json_set(index, "manifests", json_array());
	return index;
}

int image_index_check(json_t *index, struct varve_error *err)
{
	json_t *manifests;
	uint64_t version = 0;
	int r;

	if (!json_is_object(index))
		return varve_error_set(err, -VARVE_E_FORMAT, "is no JSON object");
	r = json_get_u64(index, "schemaVersion", &version, err);
	if (r < 0)
		return r;
	r = json_get_array(index, "manifests", &manifests, err);
	if (r < 0)
		return r;
	if (version != 2 || image_has_real(index))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "is no image index (schemaVersion 2, integers only)");
	return 0;
}

static const char *entry_name(const json_t *entry)
{
	const json_t *annotations = json_object_get(entry, "annotations");

	return json_string_value(json_object_get(annotations, IMAGE_REF_NAME));
}

static void copy_member(json_t *to, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);

	if (json_is_string(value))
		json_set(to, key, json_incref(value));
}

static json_t *new_entry(const struct image *image, const char *name)
{
	json_t *entry = descriptor_to_json(&image->manifest_descriptor);
	json_t *annotations = json_object();
	json_t *platform = json_object();

	copy_member(platform, image->config, "architecture");
	copy_member(platform, image->config, "os");
	copy_member(platform, image->config, "variant");
	json_set(annotations, IMAGE_REF_NAME, json_text(name));
	json_set(entry, "annotations", annotations);
	json_set(entry, "platform", platform);
	return entry;
}

bool image_index_put(json_t *index, const struct image *image, const char *name)
{
	CLEANUP(json_decrefp) json_t *entry = new_entry(image, name);
	json_t *manifests = json_object_get(index, "manifests");
	bool placed = false, changed = false;
	size_t i = 0;

	while (i < json_array_size(manifests)) {
		const json_t *old = json_array_get(manifests, i);

		if (!str_equal(entry_name(old), name)) {
			i++;
		} else if (placed) {
			(void)json_array_remove(manifests, i);
			changed = true;
		} else {
			changed |= !json_equal(old, entry);
			(void)json_array_set(manifests, i++, entry);
			placed = true;
		}
	}
	if (placed)
		return changed;
	json_append(manifests, json_incref(entry));
	return true;
}
