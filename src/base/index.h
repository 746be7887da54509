/* SPDX-License-Identifier: Apache-2.0
 * The image index of a layout (image-spec, image-index.md): descriptors, each with a name in an
 * annotation. */
#ifndef BASE_INDEX_H
#define BASE_INDEX_H

#include <stdbool.h>
#include "base/json.h"

#define INDEX_REF_NAME "org.opencontainers.image.ref.name"

/* An index without entries. */
json_t *index_new(void);
/* An entry's name; NULL where it has none. Borrowed. */
const char *index_entry_name(const json_t *entry);
/* True for a list of what refers to an image, which is no image of its own: it has the name
 * "sha256-HEX" (distribution-spec, "Referrers Tag Schema"), or that and a suffix, as cosign's
 * signatures (".sig"). ret (may be NULL): the image. */
bool index_entry_is_referrers(const json_t *entry, struct varve_digest *ret);
/* Puts the entry (NULL: nothing) where the first of this name is, else at the end; further ones of
 * the name go. False when that changes nothing. */
bool index_replace(json_t *index, const char *name, json_t *take_entry);

#endif
