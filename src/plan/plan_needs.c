/* SPDX-License-Identifier: Apache-2.0
 * What a step waits for. */
#include "plan/plan.h"

static size_t add_need(int step, int *ret, size_t count, size_t room)
{
	size_t i;

	if (step < 0)
		return count;
	for (i = 0; i < count; i++)
		if (ret[i] == step)
			return count;
	if (count < room)
		ret[count++] = step;
	return count;
}

/* The layers of a split step do not wait for each other: who needs the topmost needs all. */
static size_t add_chain(const struct plan *plan, int top, int *ret, size_t count, size_t room)
{
	count = add_need(top, ret, count, room);
	for (; top >= 0 && plan->steps[top].part; top = plan->steps[top].below)
		count = add_need(plan->steps[top].below, ret, count, room);
	return count;
}

static int top_of(const struct plan *plan, const struct plan_mount *content)
{
	return content->content == PLAN_FROM_STAGE ? plan->stages[content->index].top : PLAN_NONE;
}

size_t plan_needs(const struct plan *plan, int step, int *ret, size_t room)
{
	const struct plan_step *s = &plan->steps[step];
	size_t count, i;

	count = add_chain(plan, s->base, ret, 0, room);
	if (s->action == ACTION_COPY)
		count = add_chain(plan, top_of(plan, &s->from), ret, count, room);
	for (i = 0; i < s->mount_count; i++)
		count = add_chain(plan, top_of(plan, &s->mounts[i]), ret, count, room);
	return count;
}

/* A chain of n layers of a split step is n + 1 needs. */
static size_t chain_needs(const struct plan *plan, int top)
{
	size_t count = 1;

	for (; top >= 0 && plan->steps[top].part; top = plan->steps[top].below)
		count++;
	return count;
}

size_t plan_needs_room(const struct plan *plan, int step)
{
	const struct plan_step *s = &plan->steps[step];
	size_t room = chain_needs(plan, s->base), i;

	if (s->action == ACTION_COPY)
		room += chain_needs(plan, top_of(plan, &s->from));
	for (i = 0; i < s->mount_count; i++)
		room += chain_needs(plan, top_of(plan, &s->mounts[i]));
	return room;
}

static bool chain_has(const struct plan *plan, int top, int step)
{
	for (; top >= 0 && top != step && plan->steps[top].part; top = plan->steps[top].below)
		;
	return top == step;
}

bool plan_waits_for(const struct plan *plan, int step, int other)
{
	const struct plan_step *s = &plan->steps[step];
	bool waits = chain_has(plan, s->base, other) ||
		     (s->action == ACTION_COPY && chain_has(plan, top_of(plan, &s->from), other));

	for (size_t i = 0; i < s->mount_count && !waits; i++)
		waits = chain_has(plan, top_of(plan, &s->mounts[i]), other);
	return waits;
}

static bool chain_is_known(const struct plan *plan, int top, const struct plan_known *known)
{
	for (; top >= 0 && plan->steps[top].part; top = plan->steps[top].below)
		if (!known[top].known)
			return false;
	return top < 0 || known[top].known;
}

bool plan_is_ready(const struct plan *plan, int step, const struct plan_known *known)
{
	const struct plan_step *s = &plan->steps[step];
	size_t i;

	if (!chain_is_known(plan, s->base, known))
		return false;
	if (s->action == ACTION_COPY && !chain_is_known(plan, top_of(plan, &s->from), known))
		return false;
	for (i = 0; i < s->mount_count; i++)
		if (!chain_is_known(plan, top_of(plan, &s->mounts[i]), known))
			return false;
	return true;
}
