/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/layer_pair.h"

#include <string.h>
#include "audit/whiteouts.h"
#include "layer/layer_tar.h"

void layer_pair_release(struct layer_pair *pair)
{
	layer_data_release(&pair->a_data);
	layer_data_release(&pair->b_data);
}

bool layer_pair_next(const struct layer_pair *pair, struct layer_pair_step *step)
{
	const struct layer_file *a =
		step->a_next < pair->a->count ? &pair->a->items[step->a_next] : NULL;
	const struct layer_file *b =
		step->b_next < pair->b->count ? &pair->b->items[step->b_next] : NULL;
	int side = !a ? 1 : !b ? -1 : strcmp(a->path, b->path);

	step->a = a && side <= 0 ? a : NULL;
	step->b = b && side >= 0 ? b : NULL;
	step->a_next += step->a != NULL;
	step->b_next += step->b != NULL;
	return a || b;
}

bool layer_pair_step_differs(const struct layer_pair_step *step)
{
	return step->a && step->b && step->a->type == TAR_FILE && step->b->type == TAR_FILE &&
	       !varve_digest_equal(&step->a->content, &step->b->content);
}

void layer_pair_want(struct layer_pair *pair)
{
	struct layer_pair_step step = {0};

	while (layer_pair_next(pair, &step)) {
		if (!layer_pair_step_differs(&step))
			continue;
		layer_data_want(&pair->a_data, step.a);
		layer_data_want(&pair->b_data, step.b);
	}
}

bool layer_pair_has_lonely_whiteout(const struct layer_pair *pair)
{
	struct layer_pair_step step = {0};

	while (layer_pair_next(pair, &step))
		if (!(step.a && step.b) && is_whiteout((step.a ? step.a : step.b)->path))
			return true;
	return false;
}
