/* SPDX-License-Identifier: Apache-2.0
 * An image, index or artifact to a registry: blobs in parallel, then manifests from the leaves up,
 * tags at the very end. */
#ifndef REGISTRY_PUSH_H
#define REGISTRY_PUSH_H

#include "registry/place.h"
#include "registry/registry.h"
#include "registry/upload.h"

struct push {
	struct registry *registry;
	struct place *from;
	int sessions; /* directory of upload sessions, -1: none */
	/* Brings a blob that is not in from; NULL: that is an error. In a thread. */
	int (*fetch)(void *cookie, const struct varve_descriptor *blob, struct http_client *client,
		     struct varve_error *err);
	/* Adds other repositories of the registry that may have the blob, best first; NULL: none.
	 */
	void (*mounts)(void *cookie, const struct varve_descriptor *blob, struct strv *ret);
	void *cookie;
};

struct push_result {
	size_t sent, mounted, there; /* blobs */
	uint64_t bytes; /* of those that were sent */
};

/* tags: all are set to the root; none: it is put by its digest alone. */
int push_run(const struct push *push, const struct varve_descriptor *root, const struct strv *tags,
	     struct push_result *ret, struct varve_error *err);

#endif
