/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PLACE_COPY_H
#define REGISTRY_PLACE_COPY_H

#include "registry/graph.h"
#include "registry/place.h"

/* Nothing where it is there; verified. */
int place_copy(struct place *from, struct place *to, const struct varve_descriptor *blob,
	       struct varve_error *err);
/* Reads it whole: -VARVE_E_NOT_FOUND, -VARVE_E_DIGEST where it is not what it should be. */
int place_verify(const struct place *place, const struct varve_descriptor *blob,
		 struct varve_error *err);
/* Reads a file to its end into the place, in one pass; fills in digest and size. */
int place_copy_file(int fd, struct place *to, struct varve_descriptor *ret,
		    struct varve_error *err);
/* All of an image or index, its manifests last. */
int place_copy_graph(struct place *from, struct place *to, const struct varve_descriptor *root,
		     struct varve_error *err);
/* For graph_walk: manifests out of a place (the cookie). */
int place_get_manifest(void *cookie, const struct varve_descriptor *descriptor,
		       struct manifest *ret, struct varve_error *err);

#endif
