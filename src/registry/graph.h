/* SPDX-License-Identifier: Apache-2.0
 * All that an image or index is made of: its manifests, and the blobs that they name. */
#ifndef REGISTRY_GRAPH_H
#define REGISTRY_GRAPH_H

#include <stddef.h>
#include "registry/manifest.h"

struct graph {
	struct manifest *manifests; /* what is named before what names it; the root is last */
	size_t manifest_count, manifest_alloc;
	struct varve_descriptor *blobs; /* configs and layers, each once, in order of naming */
	size_t blob_count, blob_alloc;
};

/* Gives a manifest: from a place, a registry. */
typedef int (*graph_get)(void *cookie, const struct varve_descriptor *descriptor,
			 struct manifest *ret, struct varve_error *err);

/* Follows an index to all its children (images, attestations, indexes), MANIFEST_DEPTH deep. */
int graph_walk(const struct varve_descriptor *root, graph_get get, void *cookie, struct graph *ret,
	       struct varve_error *err);
void graph_release(struct graph *graph);

#endif
