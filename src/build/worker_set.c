/* SPDX-License-Identifier: Apache-2.0 */
#include "build/worker_set.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

int worker_set_start(struct worker_set *set, struct build *build, enum worker_kind kind, int index,
		     struct varve_error *err)
{
	int r;

	set->items = array_grow(set->items, set->count, &set->alloc, sizeof(*set->items));
	r = worker_start(build, kind, index, &set->items[set->count], err);
	if (r == 0)
		set->count++;
	return r;
}

unsigned worker_set_running(const struct worker_set *set, enum worker_kind kind)
{
	unsigned count = 0;

	for (size_t i = 0; i < set->count; i++)
		count += set->items[i].kind == kind;
	return count;
}

size_t worker_set_descriptors(const struct worker_set *set, struct pollfd *ret)
{
	size_t i;

	for (i = 0; i < set->count; i++) {
		ret[2 * i] = (struct pollfd){.fd = set->items[i].result_fd, .events = POLLIN};
		ret[2 * i + 1] = (struct pollfd){.fd = set->items[i].output_fd, .events = POLLIN};
	}
	return 2 * set->count;
}

void worker_set_hear(struct worker_set *set, struct build *build)
{
	CLEANUP(free_ptr)
	struct pollfd *fds = xcalloc(set->count * WORKER_DESCRIPTORS + 1, sizeof(*fds));
	size_t count = worker_set_descriptors(set, fds), i;
	int ready = poll(fds, count, 0);

	for (i = 0; ready > 0 && i < count; i++)
		if (fds[i].revents != 0)
			worker_read(build, &set->items[i / WORKER_DESCRIPTORS], fds[i].fd);
	for (i = 0; i < set->count; i++)
		worker_watch(build, &set->items[i]);
}

bool worker_set_take_ended(struct worker_set *set, struct worker *ret)
{
	for (size_t i = set->count; i-- > 0;) {
		if (!worker_ended(&set->items[i]))
			continue;
		*ret = set->items[i];
		set->items[i] = set->items[--set->count];
		return true;
	}
	return false;
}

bool worker_set_take_trees(struct worker_set *set, int *ret_step, struct layer_list *ret)
{
	for (size_t i = 0; i < set->count; i++) {
		struct worker *worker = &set->items[i];

		if (!worker->has_trees || worker->trees_taken)
			continue;
		worker->trees_taken = true;
		*ret_step = worker->index;
		*ret = worker->trees;
		worker->trees = (struct layer_list){0};
		return true;
	}
	return false;
}

void worker_set_kill_most(struct worker_set *set)
{
	for (size_t i = set->count; i-- > 0;) {
		if (set->items[i].trees_taken)
			continue;
		worker_release(&set->items[i]);
		set->items[i] = set->items[--set->count];
	}
}

void worker_set_kill(struct worker_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		worker_kill(&set->items[i]);
}

void worker_set_release(struct worker_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		worker_release(&set->items[i]);
	free(set->items);
	*set = (struct worker_set){0};
}
