/* SPDX-License-Identifier: Apache-2.0
 * Where an image lies together with what refers to it: a registry, an OCI layout, or the store. In
 * the last two it is listed as in a registry without the referrers API: in an index of the name
 * "sha256-HEX". */
#ifndef REGISTRY_REFERRERS_END_H
#define REGISTRY_REFERRERS_END_H

#include "image/image.h"
#include "registry/manifest.h"
#include "registry/place.h"
#include "registry/registry.h"

struct referrers_end {
	struct registry *registry; /* NULL: a layout or the store */
	const struct image_layout *layout; /* open for writing where it is written to; NULL: none */
	struct place *place; /* of a layout or store its blobs; of a registry where downloads go */
	int sessions; /* of uploads, -1: none */
};

/* The index of what refers to subject; without any: with none. */
int referrers_end_list(const struct referrers_end *end, const struct varve_digest *subject,
		       const char *artifact_type, json_t **ret, struct varve_error *err);
/* Brings a listed manifest and what it names into the place; nothing to do but for a registry. */
int referrers_end_fetch(const struct referrers_end *end, const struct varve_descriptor *one,
			struct varve_error *err);
/* Makes an artifact known that lies in from with all its blobs: sends it, or copies it (nothing
 * where from is the end's own place), and lists it. Several writers may do so at once: a layout is
 * locked while it is open for writing, the store here; for registries see referrers_note. */
int referrers_end_attach(const struct referrers_end *end, struct place *from,
			 const struct varve_digest *subject, const struct manifest *artifact,
			 struct varve_error *err);

/* What a name stands for, for what is found by names and not by lists. Like the list of referrers
 * it is read, changed, and written under the version that was read. */
struct referrers_named {
	struct manifest manifest; /* owned */
	char *version; /* of a registry, where it tells one; owned */
};
/* 1; 0: there is none of this name. */
int referrers_end_find(const struct referrers_end *end, const char *name,
		       struct referrers_named *ret, struct varve_error *err);
void referrers_named_release(struct referrers_named *named);
/* Puts the manifest, whose blobs are in the end's place, under the name. version: what it replaces.
 * -ESTALE without a text: somebody else was faster. */
int referrers_end_name(const struct referrers_end *end, const char *name, const char *version,
		       const struct manifest *manifest, struct varve_error *err);
/* Holds other writers of the store off until *ret_fd is closed; of others nothing (-1). */
int referrers_end_lock(const struct referrers_end *end, int *ret_fd, struct varve_error *err);

#endif
