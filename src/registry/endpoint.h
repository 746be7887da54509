/* SPDX-License-Identifier: Apache-2.0
 * Where images come from and go to, as skopeo spells it:
 *	docker://HOST/REPOSITORY[:TAG][@DIGEST]	a registry
 *	oci:DIR[:NAME]  oci-archive:FILE[:NAME]  docker-archive:FILE[:NAME]  dir:DIR
 *	store:NAME				varve's own store */
#ifndef REGISTRY_ENDPOINT_H
#define REGISTRY_ENDPOINT_H

#include "image/image.h"
#include "registry/reference.h"

enum endpoint_kind { ENDPOINT_REGISTRY, ENDPOINT_STORE, ENDPOINT_FILES };

struct endpoint {
	enum endpoint_kind kind;
	struct reference reference; /* ENDPOINT_REGISTRY */
	struct image_target target; /* ENDPOINT_FILES */
	char *name; /* ENDPOINT_STORE: as in index.json, or a digest; owned */
};

/* -VARVE_E_USAGE lists the transports. */
int endpoint_parse(const char *text, struct endpoint *ret, struct varve_error *err);
/* The same where an image is only looked at: a name without a transport is one of the store. */
int endpoint_parse_image(const char *text, struct endpoint *ret, struct varve_error *err);
void endpoint_release(struct endpoint *endpoint);
bool endpoint_is_layout(const struct endpoint *endpoint);
/* What refers to an image is kept beside it there: a registry, a layout, the store. */
bool endpoint_has_referrers(const struct endpoint *endpoint);

#endif
