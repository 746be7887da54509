/* SPDX-License-Identifier: Apache-2.0
 * Artifacts that refer to a manifest (distribution-spec 1.1, "Referrers"): signatures, SBOMs. A
 * registry without the referrers API has them in an index under the tag "sha256-HEX", which every
 * client keeps itself. */
#ifndef REGISTRY_REFERRERS_H
#define REGISTRY_REFERRERS_H

#include "registry/manifest.h"
#include "registry/registry.h"

/* The index of all that refers to subject; artifact_type: only of this type, NULL: any. */
int referrers_list(struct registry *registry, struct http_client *client,
		   const struct varve_digest *subject, const char *artifact_type, json_t **ret,
		   struct varve_error *err);

/* Puts a manifest with a "subject", whose blobs are there, by its digest, and enters it in the
 * fallback index where the registry did not take note of the subject itself. Reads again and
 * repeats where another client changed that index meanwhile. */
int referrers_attach(struct registry *registry, struct http_client *client,
		     const struct manifest *artifact, struct varve_error *err);

/* The index with the artifact entered once, or NULL when it has it; pure. old: NULL: none yet. */
json_t *referrers_enter(const json_t *old, const struct manifest *artifact);

#endif
