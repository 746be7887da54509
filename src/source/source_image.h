/* SPDX-License-Identifier: Apache-2.0
 * Image sources: how the two kinds of layouts lead to a manifest. What is found lies in the store
 * afterwards: manifest, config and layers, each checked against its digest. */
#ifndef SOURCE_SOURCE_IMAGE_H
#define SOURCE_SOURCE_IMAGE_H

#include "image/image.h"
#include "source/layout.h"
#include "source/source.h"

/* Which image of a layout. */
struct image_choice {
	const char *name; /* reference name or tag; NULL: the only one */
	const char *platform; /* "linux/arm64/v8" */
};

/* An OCI layout: index.json, by name, then by platform. */
int source_image_from_oci(const struct layout *layout, struct varve_store *store,
			  const struct image_choice *choice, struct image *ret,
			  struct varve_error *err);
/* What `docker save` writes: manifest.json names a config and layers; the manifest is ours, the
 * same for the same files. */
int source_image_from_docker(const struct layout *layout, struct varve_store *store,
			     const struct image_choice *choice, struct image *ret,
			     struct varve_error *err);

/* --- of registries (source_image_registry.c) --- */
/* As the recipe has it. Borrowed. */
const char *source_image_reference(const struct lock_source *source);
bool source_image_is_remote(const struct lock_source *source);
/* Manifest and config of what the reference names are in the store then; layers are not. */
int source_image_from_registry(const struct source_context *context, const char *reference,
			       const char *platform, struct image *ret, struct varve_error *err);
/* Exactly the image that the lock names: from the store, else from its registry. */
int source_image_open_locked(const struct source_context *context, const struct lock_source *source,
			     struct image *ret, struct varve_error *err);
/* Its layers, those that are missing. */
int source_image_fetch_layers(const struct source_context *context,
			      const struct lock_source *source, const struct image *image,
			      struct varve_error *err);

/* The type of a layer as OCI names it; NULL: it is none that we can read. Pure. */
const char *source_image_layer_type(const char *media_type);
/* Seconds of an RFC 3339 time; 0 for what is none. Pure. */
int64_t source_image_date(const char *text);
/* Whether os, architecture and variant (where asked for) of an object are the platform's. Pure. */
bool source_image_matches(const json_t *object, const char *platform);

#endif
