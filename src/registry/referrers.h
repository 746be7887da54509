/* SPDX-License-Identifier: Apache-2.0
 * Artifacts that refer to a manifest (distribution-spec 1.1, "Referrers"): signatures, SBOMs. A
 * registry without the referrers API has them in an index under the tag "sha256-HEX", which every
 * client keeps itself. */
#ifndef REGISTRY_REFERRERS_H
#define REGISTRY_REFERRERS_H

#include "registry/manifest.h"
#include "registry/registry.h"

/* The index of all that refers to subject; artifact_type: only of this type, NULL: any. What a
 * registry lists need not be true: the manifests tell. */
int referrers_list(struct registry *registry, struct http_client *client,
		   const struct varve_digest *subject, const char *artifact_type, json_t **ret,
		   struct varve_error *err);

/* Puts a manifest with a "subject", whose blobs are there, by its digest, and notes it. */
int referrers_attach(struct registry *registry, struct http_client *client,
		     const struct manifest *artifact, struct varve_error *err);

/* For a manifest with a "subject" that was put, of which the registry did not take note itself
 * (OCI-Subject): enters it in the fallback index. Several clients may do so at once: where the
 * registry knows conditions (If-Match) they are used; where not, each looks a while later whether
 * another one's index came over its own, and repeats. */
int referrers_note(struct registry *registry, struct http_client *client,
		   const struct manifest *artifact, struct varve_error *err);

/* Pure: the manifest's "subject". 0: it has none; 1; negative: it has one that is malformed. */
int referrers_subject(const struct manifest *artifact, struct varve_descriptor *ret,
		      struct varve_error *err);

/* A copy of the index with the entries of this type alone, NULL: all; pure. index: NULL: none. */
json_t *referrers_filter(const json_t *index, const char *artifact_type);
/* The index with the artifact entered once, or NULL when it has it; pure. old: NULL: none yet. */
json_t *referrers_enter(const json_t *old, const struct manifest *artifact);
/* That index as a manifest: 1, or 0 when old has the artifact; pure. */
int referrers_renew(const json_t *old, const struct manifest *artifact, struct manifest *ret,
		    struct varve_error *err);

#endif
