/* SPDX-License-Identifier: Apache-2.0
 * What is looked at before anything is started. */
#ifndef BUILD_BUILD_BEFORE_H
#define BUILD_BUILD_BEFORE_H

#include "build/build.h"

/* -VARVE_E_COMPARE names the first step that is not cached. */
int build_refuse_misses(struct build *build, struct varve_error *err);
/* -VARVE_E_HOST names the first step that wants owners which cannot be kept here. */
int build_refuse_losses(struct build *build, struct varve_error *err);
/* Asks registries for what has to be known of the images that the wanted ones stand on. */
int build_look_at_bases(struct build *build, struct varve_error *err);
/* Whether as much is in the store of all images that the wanted ones stand on as it takes. */
bool build_has_bases(const struct build *build);

#endif
