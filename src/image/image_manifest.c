/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_document.h"

#include "base/descriptor.h"

static json_t *layer_json(const struct image_layer *layer)
{
	json_t *descriptor = descriptor_to_json(&layer->layer.blob);

	if (layer->annotations)
		json_set(descriptor, "annotations", json_deep_copy(layer->annotations));
	return descriptor;
}

static json_t *layers_json(const struct image_spec *spec)
{
	json_t *layers = json_array();
	struct varve_layer empty;

	for (size_t i = 0; i < spec->layer_count; i++) {
		if (spec->layers[i].layer.entry_count > 0)
			json_append(layers, layer_json(&spec->layers[i]));
	}
	if (image_is_empty(spec)) {
		image_empty_layer(&empty);
		json_append(layers, descriptor_to_json(&empty.blob));
	}
	return layers;
}

json_t *image_manifest_json(const struct image_spec *spec, const struct varve_descriptor *config)
{
	json_t *manifest = json_object();

	json_set(manifest, "schemaVersion", json_integer(2));
	json_set(manifest, "mediaType", json_text(VARVE_MEDIA_MANIFEST));
	json_set(manifest, "config", descriptor_to_json(config));
	json_set(manifest, "layers", layers_json(spec));
	if (json_object_size(spec->annotations) > 0)
		json_set(manifest, "annotations", json_deep_copy(spec->annotations));
	return manifest;
}
