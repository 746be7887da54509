/* SPDX-License-Identifier: Apache-2.0
 * An image, index or artifact from one place to others, its bytes as they are.
 *
 *	registry -> store | layout	downloaded right there
 *	registry -> registry		layers that the target lacks pass through the store; others
 *					are mounted or not touched at all
 *	archives, dir -> anything	through the store
 *
 * What passes through the store has no name there and goes with the next gc. */
#ifndef REGISTRY_COPY_H
#define REGISTRY_COPY_H

#include "registry/endpoint.h"
#include "registry/registry.h"

struct copy {
	const struct registry_settings *settings;
	struct varve_store *store;
	int uploads; /* directory of the store, for sessions and partial downloads */
	const char *platform; /* of an index only the image for this one; NULL: all of it */
	image_unpack unpack; /* for docker-archive */
	bool referrers; /* also what refers to the image: between registries and layouts */
	const char *artifact_type; /* of those only this type; NULL: any */
};

struct copy_result {
	struct varve_descriptor root;
	size_t moved, mounted, there; /* blobs */
	uint64_t bytes; /* of those that moved */
	size_t referrers; /* that came along */
};

/* Targets of one registry and repository become one push with several tags. */
int copy_run(const struct copy *copy, const struct endpoint *from, const struct endpoint *to,
	     size_t count, struct copy_result *ret, struct varve_error *err);

/* Brings manifests and configs into the store, no layers: enough to look at an image. */
int copy_look(const struct copy *copy, const struct endpoint *from, struct varve_descriptor *ret,
	      struct varve_error *err);

/* Brings these layers of a registry's image into the store, those that are not there. */
int copy_layers(const struct copy *copy, const struct endpoint *from,
		const struct varve_descriptor *blobs, size_t count, struct varve_error *err);
/* Brings layers that an image or index of the store lacks from where the image says that it stands
 * on (base_image.h). */
int copy_complete(const struct copy *copy, const struct varve_descriptor *root,
		  struct varve_error *err);

/* What refers to an image in a registry or layout, and what its name stands for. */
int copy_list_referrers(const struct copy *copy, const struct endpoint *from,
			struct varve_descriptor *ret_subject, json_t **ret_index,
			struct varve_error *err);

#endif
