/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_compile.h"

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t content_date(const struct compiler *c, const struct plan_mount *content)
{
	if (content->content == PLAN_FROM_SOURCE)
		return c->plan->sources.items[content->index].date;
	return plan_chain_epoch(c, c->plan->stages[content->index].top);
}

int64_t plan_chain_epoch(const struct compiler *c, int step)
{
	int64_t epoch = PLAN_EPOCH_DEFAULT;

	if (c->options->epoch >= 0)
		return c->options->epoch;
	for (; step >= 0; step = c->plan->steps[step].below)
		epoch = later(epoch, c->plan->steps[step].epoch);
	if (plan_is_image(step))
		epoch = later(epoch, c->plan->sources.items[plan_image_source(step)].date);
	return epoch;
}

/* A copy, and an install of wheels, leave the date of their base out, as their keys leave the base
 * out: else each new base would
 * copy everything again. The chain's date counts for the steps and images above all the same. */
int64_t plan_step_epoch(const struct compiler *c, const struct plan_step *step)
{
	int64_t epoch = PLAN_EPOCH_DEFAULT;
	size_t i;

	if (c->options->epoch >= 0)
		return c->options->epoch;
	if (plan_installs_wheels(c->plan, step))
		return later(epoch, plan_wheels_date(c->plan, step));
	if (step->action != ACTION_RUN)
		epoch = later(epoch, content_date(c, &step->from));
	if (step->action != ACTION_COPY)
		epoch = later(epoch, plan_chain_epoch(c, step->below));
	for (i = 0; i < step->mount_count; i++)
		epoch = later(epoch, content_date(c, &step->mounts[i]));
	return epoch;
}
