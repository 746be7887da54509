/* SPDX-License-Identifier: Apache-2.0
 * Descriptors and layers to and from JSON. */
#ifndef BASE_DESCRIPTOR_H
#define BASE_DESCRIPTOR_H

#include <varve/descriptor.h>
#include "base/json.h"

json_t *descriptor_to_json(const struct varve_descriptor *d);
int descriptor_from_json(const json_t *object, struct varve_descriptor *ret,
			 struct varve_error *err);
/* {"blob":descriptor,"diffId":...,"tarSize":n,"entries":n} */
json_t *layer_to_json(const struct varve_layer *layer);
int layer_from_json(const json_t *object, struct varve_layer *ret, struct varve_error *err);

/* What a step yields, bottom first: one layer, none where it changed nothing, several where it is
 * split. */
struct layer_list {
	struct varve_layer *items;
	size_t count, alloc;
};
enum { LAYER_LIST_MAX = 128 }; /* that is read; runtimes stop at about as many */
void layer_list_release(struct layer_list *list);
/* A layer without entries is none. */
void layer_list_add(struct layer_list *list, const struct varve_layer *layer);
uint64_t layer_list_size(const struct layer_list *list); /* bytes of the blobs */
/* Sets the member "layer", or "layers" (a list) where there are several. */
void layer_list_set(json_t *object, const struct layer_list *list);
int layer_list_get(const json_t *object, struct layer_list *ret, struct varve_error *err);

#endif
