/* SPDX-License-Identifier: Apache-2.0
 * What refers to an image (signatures, SBOMs), from a registry or layout to another. In a layout it
 * is listed as in a registry without the referrers API: in an index of the name "sha256-HEX". */
#ifndef REGISTRY_COPY_REFERRERS_H
#define REGISTRY_COPY_REFERRERS_H

#include "image/image.h"
#include "registry/place.h"
#include "registry/registry.h"

/* One end: a registry, or a layout. */
struct referrers_end {
	struct registry *registry; /* NULL: a layout */
	const struct image_layout *layout;
	struct place *place; /* of a layout its blobs; of a registry where downloads go */
};

struct referrers_copy {
	struct referrers_end from, to;
	const char *artifact_type; /* only of this type; NULL: any */
	int sessions; /* of uploads, -1: none */
	size_t copied; /* so far */
};

/* The index of what refers to subject; without any: with none. */
int referrers_end_list(const struct referrers_end *end, const struct varve_digest *subject,
		       const char *artifact_type, json_t **ret, struct varve_error *err);
/* All that refers to root or, when it is an index, to what is in it, and what refers to that in its
 * turn. Each one's bytes are checked, and that it does refer to what it is listed for: what does
 * not is left out with a notice. root is at the target by then. */
int referrers_copy_run(struct referrers_copy *copy, const struct varve_descriptor *root,
		       struct place *manifests, struct varve_error *err);

#endif
