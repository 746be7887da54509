/* SPDX-License-Identifier: Apache-2.0
 * An image that an argument names, in the store or anywhere. */
#ifndef CLI_OPENED_IMAGE_H
#define CLI_OPENED_IMAGE_H

#include "audit/image_diff.h"
#include "cli/remote.h"
#include "registry/copy_source.h"

/* One argument: where it is, and the image that it names. */
struct opened_image {
	struct endpoint endpoint;
	struct copy_source source;
	struct image_side side;
};

/* Only source: of an index all platforms when the copy asks for none. */
int opened_image_locate(struct remote *remote, const char *text, struct opened_image *o,
			struct varve_error *err);
/* Where blobs of registries and archives go: the store. Errors name the argument. */
int opened_image_open(struct remote *remote, const char *text, struct opened_image *o,
		      struct varve_error *err);
void opened_image_release(struct opened_image *o); /* usable with CLEANUP */

#endif
