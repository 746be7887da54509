/* SPDX-License-Identifier: Apache-2.0
 * An image, index or artifact from a registry into a place. */
#ifndef REGISTRY_PULL_H
#define REGISTRY_PULL_H

#include "registry/place.h"
#include "registry/registry.h"

struct pull {
	struct registry *registry;
	struct place *into;
	const char *platform; /* of an index only the image for this one; NULL: all of it */
	bool manifests_only; /* and configs: layers are left where they are */
};

struct pull_result {
	struct varve_descriptor root; /* what was asked for, or the image chosen from it */
	struct varve_descriptor named; /* what was asked for */
	size_t fetched, there; /* blobs */
	uint64_t bytes; /* of those that were fetched */
};

/* target: a tag or "sha256:...". Bytes are checked against digest and size while they come; what
 * broke off goes on where it stopped, also in another process. */
int pull_run(const struct pull *pull, const char *target, struct pull_result *ret,
	     struct varve_error *err);

/* The same for a name: mirrors of this machine in turn, then the registry itself, each by its own
 * credentials; what did not serve is told as a notice. Fills in the pull's registry; the one that
 * served is the caller's, to be closed. */
int pull_from(const struct registry_settings *settings, const struct reference *from,
	      struct pull *pull, struct registry **ret_registry, struct pull_result *ret,
	      struct varve_error *err);

/* The registry itself, when a mirror served and then lacks something. */
int pull_open_upstream(const struct registry_settings *settings, const struct reference *from,
		       struct registry **ret, struct varve_error *err);

/* One blob, in any thread; done counts bytes. Nothing where it is there. */
int pull_blob(struct registry *registry, struct http_client *client, struct place *into,
	      const struct varve_descriptor *blob, _Atomic uint64_t *done, struct varve_error *err);

#endif
