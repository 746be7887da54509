/* SPDX-License-Identifier: Apache-2.0
 * What is looked at before anything is started. */
#ifndef BUILD_BUILD_BEFORE_H
#define BUILD_BUILD_BEFORE_H

#include "build/build.h"

/* -VARVE_E_COMPARE names the first step that is not cached. */
int build_refuse_misses(struct build *build, struct varve_error *err);
/* -VARVE_E_HOST names the first step that wants owners which cannot be kept here. */
int build_refuse_losses(struct build *build, struct varve_error *err);
/* Whether the store has the layers of all images that the wanted ones stand on. */
bool build_has_bases(const struct build *build);

#endif
