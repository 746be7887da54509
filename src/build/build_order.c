/* SPDX-License-Identifier: Apache-2.0 */
#include "build/build_order.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

struct turn {
	int step;
	uint64_t size; /* bytes of the wheels that it installs */
};

static uint64_t size_of(const struct plan *plan, const struct plan_step *step)
{
	const struct lock_source *source;
	uint64_t size = 0;
	size_t i;

	if (!plan_installs_wheels(plan, step))
		return 0;
	source = plan->sources.items[step->from.index].locked;
	for (i = 0; source && i < source->count; i++)
		if (plan_step_has(step, &source->artifacts[i]))
			size += source->artifacts[i].size;
	return size;
}

static int largest_first(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return x->step < y->step ? -1 : x->step > y->step;
}

/* End of the layers of the split step that begins at first; first + 1 where it is not split. */
static size_t end_of_parts(const struct plan *plan, size_t first)
{
	size_t end = first + 1;

	while (end < plan->step_count && plan->steps[end].part)
		end++;
	return end;
}

int *build_order(const struct plan *plan)
{
	CLEANUP(free_ptr) struct turn *turns = xcalloc(plan->step_count + 1, sizeof(*turns));
	int *ret = xcalloc(plan->step_count + 1, sizeof(*ret));
	size_t first, end, i;

	for (i = 0; i < plan->step_count; i++)
		turns[i] = (struct turn){(int)i, size_of(plan, &plan->steps[i])};
	for (first = 0; first < plan->step_count; first = end) {
		end = end_of_parts(plan, first);
		qsort(turns + first, end - first, sizeof(*turns), largest_first);
	}
	for (i = 0; i < plan->step_count; i++)
		ret[i] = turns[i].step;
	return ret;
}
