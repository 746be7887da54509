/* SPDX-License-Identifier: Apache-2.0
 * Parts that the documents of an image share. */
#ifndef IMAGE_IMAGE_DOCUMENT_H
#define IMAGE_IMAGE_DOCUMENT_H

#include "image/image.h"

/* The file that marks a layout (image-layout.md, "oci-layout file"). */
#define IMAGE_LAYOUT_FILE "{\"imageLayoutVersion\":\"1.0.0\"}"
/* What registries of the Docker era serve; same members as the OCI documents. */
#define IMAGE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define IMAGE_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"

enum {
	IMAGE_MANIFEST_LIMIT = 8 << 20, /* bytes of a manifest or index that are read */
	IMAGE_CONFIG_LIMIT = 4 << 20,
	IMAGE_LAYER_LIMIT = 1000, /* layers of an image */
	IMAGE_EMPTY_TAR = 1024, /* bytes of a tar without entries: two zero blocks */
};

/* True when a number that is no integer is in it: such a document has no canonical form. */
bool image_has_real(json_t *value);

/* Splits "os/architecture[/variant]" into members of these names. */
void image_platform_set(json_t *object, const char *platform);

/* Manifests must have a layer (image-spec manifest.md): an image of steps that changed nothing gets
 * the tar without entries, uncompressed: IMAGE_EMPTY_TAR zero bytes. */
bool image_is_empty(const struct image_spec *spec);
void image_empty_layer(struct varve_layer *ret);

#endif
