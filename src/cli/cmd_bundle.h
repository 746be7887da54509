/* SPDX-License-Identifier: Apache-2.0
 * What the commands of bundles share. */
#ifndef CLI_CMD_BUNDLE_H
#define CLI_CMD_BUNDLE_H

#include "cli/session.h"
#include "source/bundle.h"

/* Opens "oci:DIR", "oci-archive:FILE" or a path. */
int bundle_open_named(const char *text, struct layout *layout, struct bundle *bundle,
		      struct varve_error *err);

struct combinations;

/* Builds the recipe as it is, then from the bundle alone: unpacked elsewhere, in an empty store,
 * with no network in the whole process, and compares the images' digests; so for each combination
 * of options, where there are any. -VARVE_E_COMPARE names the first that differs. */
int bundle_check(struct session *session, const struct image_target *target,
		 const struct combinations *combinations, struct varve_error *err);

#endif
