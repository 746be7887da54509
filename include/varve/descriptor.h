/* SPDX-License-Identifier: Apache-2.0
 * Content descriptors (image-spec 1.1, descriptor.md) and the media types that varve writes. */
#ifndef VARVE_DESCRIPTOR_H
#define VARVE_DESCRIPTOR_H

#include <stdint.h>
#include <varve/digest.h>

#define VARVE_MEDIA_INDEX "application/vnd.oci.image.index.v1+json"
#define VARVE_MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define VARVE_MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"
#define VARVE_MEDIA_LAYER "application/vnd.oci.image.layer.v1.tar"
#define VARVE_MEDIA_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define VARVE_MEDIA_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"

enum { VARVE_MEDIA_TYPE = 128 };

struct varve_descriptor {
	char media_type[VARVE_MEDIA_TYPE];
	struct varve_digest digest;
	uint64_t size; /* bytes of the blob */
};

/* A layer: the compressed blob and the digest of the tar inside (image-spec config.md, diff_ids).
 */
struct varve_layer {
	struct varve_descriptor blob;
	struct varve_digest diff_id;
	uint64_t tar_size; /* bytes of the uncompressed tar */
	uint64_t entry_count; /* tar entries; 0: the step changed nothing and there is no layer */
};

#endif
