/* SPDX-License-Identifier: Apache-2.0
 * What refers to an image (signatures, SBOMs), from a registry, layout or store to another. */
#ifndef REGISTRY_COPY_REFERRERS_H
#define REGISTRY_COPY_REFERRERS_H

#include "registry/referrers_end.h"

struct referrers_copy {
	struct referrers_end from, to;
	const char *artifact_type; /* only of this type; NULL: any */
	size_t copied; /* so far */
};

/* All that refers to root or, when it is an index, to what is in it, and what refers to that in its
 * turn. Each one's bytes are checked, and that it does refer to what it is listed for: what does
 * not is left out with a notice. Signatures that lie under a tag of their own (reference.h) come
 * along where no type is asked for. root is at the target by then. */
int referrers_copy_run(struct referrers_copy *copy, const struct varve_descriptor *root,
		       struct place *manifests, struct varve_error *err);

#endif
