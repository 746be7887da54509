/* SPDX-License-Identifier: Apache-2.0
 * Where blobs were seen: facts/seen/HEX.at, a line HOST/REPOSITORY for each repository that had it,
 * newest first. Only a hint, for mounts across repositories. */
#ifndef REGISTRY_SEEN_H
#define REGISTRY_SEEN_H

#include "base/strv.h"
#include "registry/registry.h"
#include "store/store.h"

void seen_note(struct varve_store *store, const struct varve_digest *digest,
	       const struct registry *registry);
/* Other repositories of the same registry. */
void seen_elsewhere(struct varve_store *store, const struct varve_digest *digest,
		    const struct registry *registry, struct strv *ret);

#endif
