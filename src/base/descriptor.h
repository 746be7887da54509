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

#endif
