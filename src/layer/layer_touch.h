/* SPDX-License-Identifier: Apache-2.0
 * What a command changed in a copy of the view below it. An index of the copy tells untouched files
 * by inode and time of change; when the command is done the copy becomes what an overlay's upper
 * directory would hold, and layer_normalise takes it from there:
 *
 *	layer_touch_new (what stands on top already) -> layer_merge, LAYER_MERGE_COPY ->
 *	layer_touch_begin -> the command -> layer_touch_end */
#ifndef LAYER_LAYER_TOUCH_H
#define LAYER_LAYER_TOUCH_H

#include <varve/error.h>
#include "base/owner.h"

struct layer_touch;

/* root: the directory that will be filled; borrowed to the end, as owners. What is in it counts as
 * changed. */
int layer_touch_new(int root, const struct owners *owners, struct layer_touch **ret,
		    struct varve_error *err);
/* Makes the index of the filled directory, and waits until a change will be told by its time: one
 * tick of the file system's clock. */
int layer_touch_begin(struct layer_touch *touch, struct varve_error *err);
/* Removes what is untouched, makes a whiteout for each name that is gone, and brings extended
 * attributes into the form of trees. Directories keep their times. */
int layer_touch_end(struct layer_touch *touch, struct varve_error *err);
void layer_touch_freep(struct layer_touch **touch);

#endif
