/* SPDX-License-Identifier: Apache-2.0 */
#include "base/descriptor.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

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

/* --- lists -------------------------------------------------------------------------------------
 */

void layer_list_release(struct layer_list *list)
{
	free(list->items);
	*list = (struct layer_list){0};
}

void layer_list_add(struct layer_list *list, const struct varve_layer *layer)
{
	if (layer->entry_count == 0)
		return;
	list->items = array_grow(list->items, list->count, &list->alloc, sizeof(*list->items));
	list->items[list->count++] = *layer;
}

uint64_t layer_list_size(const struct layer_list *list)
{
	uint64_t size = 0;

	for (size_t i = 0; i < list->count; i++)
		size += list->items[i].blob.size;
	return size;
}

void layer_list_set(json_t *object, const struct layer_list *list)
{
	static const struct varve_layer none;
	json_t *layers;

	if (list->count < 2) {
		json_set(object, "layer", layer_to_json(list->count ? list->items : &none));
		return;
	}
	layers = json_array();
	for (size_t i = 0; i < list->count; i++)
		json_append(layers, layer_to_json(&list->items[i]));
	json_set(object, "layers", layers);
}

static int read_one(const json_t *layer, struct layer_list *list, struct varve_error *err)
{
	struct varve_layer read;
	int r = layer_from_json(layer, &read, err);

	if (r == 0)
		layer_list_add(list, &read);
	return r;
}

int layer_list_get(const json_t *object, struct layer_list *ret, struct varve_error *err)
{
	const json_t *layers = json_object_get(object, "layers"), *layer;
	struct layer_list list = {0};
	json_t *only = NULL;
	size_t i;
	int r = 0;

	if (!layers) {
		r = json_get_object(object, "layer", &only, err);
		r = r < 0 ? r : read_one(only, &list, err);
	} else if (json_array_size(layers) < 2 || json_array_size(layers) > LAYER_LIST_MAX) {
		r = varve_error_set(err, -VARVE_E_FORMAT,
				    "member \"layers\" is no list of %d to %d", 2, LAYER_LIST_MAX);
	}
	json_array_foreach(layers, i, layer)
	{
		if (r == 0)
			r = read_one(layer, &list, err);
	}
	if (r < 0)
		layer_list_release(&list);
	else
		*ret = list;
	return r;
}
