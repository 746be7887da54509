/* SPDX-License-Identifier: Apache-2.0
 * An image that an argument names, as what others refer to: in the store, a layout or a registry.
 * Of its layers nothing is fetched. */
#ifndef CLI_OPENED_SUBJECT_H
#define CLI_OPENED_SUBJECT_H

#include "cli/remote.h"
#include "registry/copy_source.h"

struct opened_subject {
	struct endpoint endpoint;
	struct copy_source source;
	struct image_layout layout; /* of a layout that is written to: locked */
	struct registry *registry; /* that is written to */
	struct referrers_end end; /* where what refers to it is listed, and goes to */
	struct varve_descriptor self; /* the image, or an index where no platform was asked for */
};
#define OPENED_SUBJECT_INIT                                                                        \
	{                                                                                          \
		.source = {.layout = IMAGE_LAYOUT_INIT}, .layout = IMAGE_LAYOUT_INIT               \
	}

/* write: something is to be attached. The subject does not move from here on. -VARVE_E_USAGE: a
 * place that has no room for what refers to an image. */
int opened_subject_open(struct remote *remote, struct cli *cli, bool write,
			struct opened_subject *ret, struct varve_error *err);
/* At the end, when progress has nothing more to show: "DIGEST NAME" of what was attached, or JSON.
 */
void opened_subject_print(const struct opened_subject *subject, struct remote *remote,
			  const struct cli *cli, const struct varve_descriptor *attached);
void opened_subject_release(struct opened_subject *subject); /* usable with CLEANUP */

#endif
