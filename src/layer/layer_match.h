/* SPDX-License-Identifier: Apache-2.0
 * Patterns of rules: a clean path or an fnmatch(3) pattern whose wildcards stop at '/'; with a
 * trailing "/" + "**" the directory and all below it, with a leading "**" + "/" at any depth. */
#ifndef LAYER_LAYER_MATCH_H
#define LAYER_LAYER_MATCH_H

#include <stdbool.h>

bool layer_match(const char *pattern, const char *path);
/* patterns ends with NULL; may be NULL. */
bool layer_match_any(const char *const *patterns, const char *path);

#endif
