/* SPDX-License-Identifier: Apache-2.0
 * Manifests as registries see them: exact bytes, and what they name. Images, indexes and artifacts
 * alike. Pure. */
#ifndef REGISTRY_MANIFEST_H
#define REGISTRY_MANIFEST_H

#include <stdbool.h>
#include <varve/descriptor.h>
#include <varve/error.h>
#include "base/buf.h"
#include "base/json.h"

#define MANIFEST_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
/* What we understand, for the Accept header. */
#define MANIFEST_ACCEPT                                                                            \
	"Accept: application/vnd.oci.image.index.v1+json, "                                        \
	"application/vnd.oci.image.manifest.v1+json, " MANIFEST_DOCKER_LIST ", "                   \
	"application/vnd.docker.distribution.manifest.v2+json"

enum {
	MANIFEST_LIMIT = 8 << 20, /* bytes that are read */
	MANIFEST_PUSH_LIMIT = 4 << 20, /* bytes that registries must take (distribution-spec) */
	MANIFEST_CHILDREN = 4096, /* blobs or manifests that one names */
	MANIFEST_DEPTH = 4, /* indexes in indexes */
};

struct manifest {
	struct varve_descriptor self;
	struct buf bytes; /* exactly as they are anywhere; owned */
	json_t *document; /* owned */
	bool is_index;
	struct varve_descriptor *children; /* of an index: manifests; else config, then layers;
					    * owned */
	size_t child_count;
};

/* Takes the bytes. media_type: as the server or a descriptor said, "" where nobody did: then the
 * document's own counts. -VARVE_E_FORMAT: no manifest, two kinds at once, another type than it was
 * announced with (CVE-2021-41190), Docker's schema 1. */
int manifest_parse(struct buf *take_bytes, const char *media_type, struct manifest *ret,
		   struct varve_error *err);
void manifest_release(struct manifest *manifest);

/* The child of an index for this platform ("linux/arm64[/v8]"), never an attestation; a variant
 * that is not asked for fits any. -VARVE_E_NOT_FOUND lists the platforms that are there. */
int manifest_choose(const struct manifest *index, const char *platform,
		    struct varve_descriptor *ret, struct varve_error *err);
/* "linux/arm64/v8" of an index's entry, "" where it tells none or is an attestation. */
enum { MANIFEST_PLATFORM = 64 };
const char *manifest_platform(const json_t *entry, char buffer[MANIFEST_PLATFORM]);
bool manifest_type_is_index(const char *media_type);
bool manifest_type_is_known(const char *media_type);

#endif
