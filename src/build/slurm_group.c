/* SPDX-License-Identifier: Apache-2.0 */
#include "build/slurm.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

void slurm_groups_release(struct slurm_groups *groups)
{
	for (size_t i = 0; i < groups->count; i++)
		free(groups->items[i].taken);
	free(groups->items);
	*groups = (struct slurm_groups){0};
}

static bool same_words(const struct strv *a, const struct strv *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++)
		same = strcmp(a->items[i], b->items[i]) == 0;
	return same;
}

/* Steps are in the order of the plan. */
static const struct slurm_step *find_step(const struct slurm_step *steps, size_t count, int step)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (steps[middle].step < step)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && steps[low].step == step ? &steps[low] : NULL;
}

/* The newest group that waits for this one; -1: for none. */
static long *newest_after(struct slurm_groups *groups, long after)
{
	return after < 0 ? &groups->newest : &groups->items[after].newest;
}

static size_t add_group(struct slurm_groups *groups, const struct slurm_group *group)
{
	struct slurm_group *own;

	groups->items =
		array_grow(groups->items, groups->count, &groups->alloc, sizeof(*groups->items));
	own = &groups->items[groups->count];
	*own = *group;
	own->newest = -1;
	own->older = *newest_after(groups, group->after);
	*newest_after(groups, group->after) = (long)groups->count;
	return groups->count++;
}

/* What a step looks for. */
struct wish {
	const struct slurm_step *steps; /* all of them */
	const struct slurm_step *step; /* whose it is */
	struct slurm_group like; /* after and of: how it waits */
	int task; /* its number; SLURM_ALONE: any */
};

/* Where a step waits in the same way, asks for the same, and finds room. ret_crowded: there is one,
 * but for room at this task. */
static bool find_group(struct slurm_groups *groups, const struct wish *wish, size_t *ret,
		       bool *ret_crowded)
{
	const struct slurm_group *group;

	*ret_crowded = false;
	for (long i = *newest_after(groups, wish->like.after); i >= 0; i = group->older) {
		group = &groups->items[i];
		if (!group->taken || group->of != wish->like.of ||
		    group->count == groups->maximum ||
		    !same_words(&wish->steps[group->first].resources, &wish->step->resources))
			continue;
		*ret = (size_t)i;
		if (wish->task == SLURM_ALONE || !group->taken[wish->task])
			return true;
		*ret_crowded = true;
	}
	return false;
}

static void join(struct slurm_groups *groups, struct slurm_step *step, size_t index, int task)
{
	struct slurm_group *group = &groups->items[index];

	step->group = index;
	step->task = task == SLURM_ALONE ? (int)group->count : task;
	group->taken[step->task] = true;
	group->count++;
}

static size_t new_group(struct slurm_groups *groups, const struct slurm_group *like, size_t first)
{
	struct slurm_group group = *like;

	group.first = first;
	group.taken = xcalloc(groups->maximum, sizeof(*group.taken));
	return add_group(groups, &group);
}

/* All tasks of the group wait for one thing, or for nothing. */
static void place_together(struct slurm_groups *groups, struct slurm_step *steps, size_t at,
			   const struct slurm_group *like)
{
	const struct wish wish = {steps, &steps[at], *like, SLURM_ALONE};
	bool crowded;
	size_t index;

	if (!find_group(groups, &wish, &index, &crowded))
		index = new_group(groups, like, at);
	join(groups, &steps[at], index, SLURM_ALONE);
}

/* A chain goes on in the lane of what it needs; where several go on from one step, the others wait
 * for it together. */
static void place_after(struct slurm_groups *groups, struct slurm_step *steps, size_t at,
			const struct slurm_step *need)
{
	const struct slurm_group all = {.after = (long)need->group, .of = need->task};
	const struct wish lane = {
		steps, &steps[at], {.after = (long)need->group, .of = SLURM_EACH}, need->task};
	bool crowded = need->task == SLURM_ALONE;
	size_t index;

	if (!crowded && find_group(groups, &lane, &index, &crowded)) {
		join(groups, &steps[at], index, need->task);
	} else if (crowded) {
		place_together(groups, steps, at, &all);
	} else {
		index = new_group(groups, &lane.like, at);
		join(groups, &steps[at], index, need->task);
	}
}

void slurm_group(struct slurm_step *steps, size_t count, struct slurm_groups *ret)
{
	const struct slurm_group none = {.after = -1, .of = SLURM_ALONE};

	ret->newest = -1;
	for (size_t i = 0; i < count; i++) {
		struct slurm_step *step = &steps[i];
		const struct slurm_step *need =
			step->need_count == 1 ? find_step(steps, i, step->needs[0]) : NULL;

		if (step->need_count == 0) {
			place_together(ret, steps, i, &none);
		} else if (need) {
			place_after(ret, steps, i, need);
		} else {
			step->group = add_group(ret, &(struct slurm_group){.after = -1,
									   .of = SLURM_ALONE,
									   .count = 1,
									   .first = i});
			step->task = SLURM_ALONE;
		}
	}
}
