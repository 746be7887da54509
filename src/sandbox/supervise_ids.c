/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/supervise_ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "base/buf.h"

enum { KEEP = -1 };

static const struct ids root_ids;

const struct ids *ids_of(const struct ids_table *table, pid_t pid)
{
	struct rlimit limit;

	if (table->count == 0 || prlimit(pid, RLIMIT_LOCKS, NULL, &limit) < 0 ||
	    limit.rlim_cur >= table->count)
		return &root_ids;
	return &table->items[limit.rlim_cur];
}

static bool equal(const struct ids *a, const struct ids *b)
{
	return memcmp(a->of, b->of, sizeof(a->of)) == 0 && a->keeper == b->keeper &&
	       a->group_count == b->group_count &&
	       (a->group_count == 0 ||
		memcmp(a->groups, b->groups, a->group_count * sizeof(*a->groups)) == 0);
}

static int find_or_add(struct ids_table *table, const struct ids *ids, size_t *ret)
{
	struct ids *item;

	for (*ret = 0; *ret < table->count; (*ret)++)
		if (equal(&table->items[*ret], ids))
			return 0;
	if (table->count >= IDS_SETS)
		return -EAGAIN;
	table->items = array_grow(table->items, table->count, &table->alloc, sizeof(*item));
	item = &table->items[table->count++];
	*item = *ids;
	item->groups = NULL;
	if (ids->group_count > 0) {
		item->groups = xcalloc(ids->group_count, sizeof(*item->groups));
		memcpy(item->groups, ids->groups, ids->group_count * sizeof(*item->groups));
	}
	return 0;
}

int ids_change(struct ids_table *table, pid_t pid, const struct ids *ids)
{
	struct rlimit limit = {.rlim_max = RLIM_INFINITY};
	size_t index;
	int r = find_or_add(table, ids, &index);

	if (r < 0)
		return r;
	limit.rlim_cur = index;
	return prlimit(pid, RLIMIT_LOCKS, &limit, NULL) < 0 ? -errno : 0;
}

bool ids_in_group(const struct ids *ids, uint32_t gid)
{
	size_t i;

	if (ids->of[IDS_GROUP].file == gid || ids->of[IDS_GROUP].effective == gid)
		return true;
	for (i = 0; i < ids->group_count; i++)
		if (ids->groups[i] == gid)
			return true;
	return false;
}

void ids_table_release(struct ids_table *table)
{
	size_t i;

	for (i = 0; i < table->count; i++)
		free(table->items[i].groups);
	free(table->items);
	*table = (struct ids_table){0};
}

static bool is_own(const struct ids_set *set, uint32_t id)
{
	return id == set->real || id == set->effective || id == set->saved;
}

int ids_set_one(struct ids_set *set, uint32_t id, bool privileged)
{
	if (!privileged && id != set->real && id != set->saved)
		return -EPERM;
	if (privileged)
		set->real = set->saved = id;
	set->effective = set->file = id;
	return 0;
}

int ids_set_two(struct ids_set *set, uint32_t real, uint32_t effective, bool privileged)
{
	const uint32_t before = set->real;

	if (!privileged && real != (uint32_t)KEEP && real != set->real && real != set->effective)
		return -EPERM;
	if (!privileged && effective != (uint32_t)KEEP && !is_own(set, effective))
		return -EPERM;
	if (real != (uint32_t)KEEP)
		set->real = real;
	if (effective != (uint32_t)KEEP)
		set->effective = effective;
	if (real != (uint32_t)KEEP || (effective != (uint32_t)KEEP && effective != before))
		set->saved = set->effective;
	set->file = set->effective;
	return 0;
}

int ids_set_three(struct ids_set *set, const uint32_t ids[3], bool privileged)
{
	uint32_t *const members[] = {&set->real, &set->effective, &set->saved};

	for (int i = 0; i < 3; i++)
		if (!privileged && ids[i] != (uint32_t)KEEP && !is_own(set, ids[i]))
			return -EPERM;
	for (int i = 0; i < 3; i++)
		if (ids[i] != (uint32_t)KEEP)
			*members[i] = ids[i];
	set->file = set->effective;
	return 0;
}
