/* SPDX-License-Identifier: Apache-2.0
 * What whiteouts do to the layers below: whether two layers delete the same in other words (an
 * opaque directory, a whiteout of each name in it, a whiteout of nothing). Pure. */
#ifndef AUDIT_WHITEOUTS_H
#define AUDIT_WHITEOUTS_H

#include <stdbool.h>
#include "audit/layer_files.h"

struct strv;

bool is_whiteout(const char *path);
/* Puts a layer on top of what is seen: below becomes the sorted paths of both, without what the
 * layer deletes. */
void whiteouts_stack(struct strv *below, const struct layer_files *layer);
/* True when the other layer hides all that this whiteout of mine hides, or both put the same path
 * there anew: then it changes nothing. */
bool whiteout_comes_to_the_same(const struct strv *below, const char *whiteout,
				const struct layer_files *mine, const struct layer_files *other);

#endif
