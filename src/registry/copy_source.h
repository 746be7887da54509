/* SPDX-License-Identifier: Apache-2.0
 * The beginning of a copy: where the image is, and which one it is. */
#ifndef REGISTRY_COPY_SOURCE_H
#define REGISTRY_COPY_SOURCE_H

#include "registry/copy.h"
#include "registry/place.h"
#include "registry/pull.h"
#include "registry/referrers_end.h"

struct copy_source {
	struct place place; /* where its blobs are */
	struct varve_descriptor named; /* what the name stands for */
	struct varve_descriptor root; /* that, or of an index the image that was chosen */
	struct registry *registry; /* where it came from; NULL: no registry */
	struct registry *upstream; /* where a mirror lacks a layer; NULL: was not needed yet */
	pthread_mutex_t mutex; /* of upstream */
	struct image_layout layout; /* opened for it */
	bool lazy; /* layers are still at the registry */
	struct pull_result pulled;
};

/* landing: where downloads go. lazy: layers of a registry's image stay there. */
int copy_source_open(const struct copy *copy, const struct endpoint *from, struct place *landing,
		     bool lazy, struct copy_source *ret, struct varve_error *err);
/* In any thread: a layer that was left at the registry; where a mirror lacks it, or has it wrongly,
 * from the registry itself. */
int copy_source_layer(struct copy_source *source, const struct copy *copy,
		      const struct endpoint *from, const struct varve_descriptor *blob,
		      struct http_client *client, struct varve_error *err);
/* Where what refers to it is listed; borrows from the source. */
struct referrers_end copy_source_end(struct copy_source *source);
void copy_source_release(struct copy_source *source);

#endif
