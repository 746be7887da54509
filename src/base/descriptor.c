/* SPDX-License-Identifier: Apache-2.0 */
#include "base/descriptor.h"

#include <string.h>

json_t *descriptor_to_json(const struct varve_descriptor *d)
{
	json_t *object = json_object();

	json_set(object, "mediaType", json_text(d->media_type));
	json_set(object, "digest", json_of_digest(&d->digest));
	json_set(object, "size", json_integer((json_int_t)d->size));
	return object;
}

int descriptor_from_json(const json_t *object, struct varve_descriptor *ret,
			 struct varve_error *err)
{
	struct varve_descriptor d;
	const char *type = NULL;
	int r;

	r = json_get_string(object, "mediaType", &type, err);
	if (r < 0)
		return r;
	if (strlen(type) >= sizeof(d.media_type))
		return varve_error_set(err, -VARVE_E_FORMAT, "member \"mediaType\" is too long");
	memset(d.media_type, 0, sizeof(d.media_type));
	memcpy(d.media_type, type, strlen(type));
	r = json_get_digest(object, "digest", &d.digest, err);
	if (r < 0)
		return r;
	r = json_get_u64(object, "size", &d.size, err);
	if (r < 0)
		return r;
	*ret = d;
	return 0;
}

json_t *layer_to_json(const struct varve_layer *layer)
{
	json_t *object = json_object();

	json_set(object, "blob", descriptor_to_json(&layer->blob));
	json_set(object, "diffId", json_of_digest(&layer->diff_id));
	json_set(object, "tarSize", json_integer((json_int_t)layer->tar_size));
	json_set(object, "entries", json_integer((json_int_t)layer->entry_count));
	return object;
}

int layer_from_json(const json_t *object, struct varve_layer *ret, struct varve_error *err)
{
	struct varve_layer layer;
	json_t *blob = NULL;
	int r;

	r = json_get_object(object, "blob", &blob, err);
	if (r < 0)
		return r;
	r = descriptor_from_json(blob, &layer.blob, err);
	if (r < 0) {
		varve_error_prefix(err, "member \"blob\"");
		return r;
	}
	r = json_get_digest(object, "diffId", &layer.diff_id, err);
	if (r < 0)
		return r;
	r = json_get_u64(object, "tarSize", &layer.tar_size, err);
	if (r < 0)
		return r;
	r = json_get_u64(object, "entries", &layer.entry_count, err);
	if (r < 0)
		return r;
	*ret = layer;
	return 0;
}
