/* SPDX-License-Identifier: Apache-2.0
 * Calls that change the ids of a process. */
#include "sandbox/supervise_call.h"

#include <errno.h>
#include <stdlib.h>
#include "base/buf.h"
#include "base/cleanup.h"

static bool is_privileged(const struct ids *ids)
{
	return ids->of[IDS_USER].effective == 0;
}

static int keep(struct call *c, const struct ids *changed)
{
	return ids_change(&c->s->ids, c->pid, changed);
}

static int set_one(struct call *c, enum ids_kind kind)
{
	struct ids ids = *ids_of(&c->s->ids, c->pid);
	int r = ids_set_one(&ids.of[kind], (uint32_t)c->args[0], is_privileged(&ids));

	return r < 0 ? r : keep(c, &ids);
}

static int set_two(struct call *c, enum ids_kind kind)
{
	struct ids ids = *ids_of(&c->s->ids, c->pid);
	int r = ids_set_two(&ids.of[kind], (uint32_t)c->args[0], (uint32_t)c->args[1],
			    is_privileged(&ids));

	return r < 0 ? r : keep(c, &ids);
}

static int set_three(struct call *c, enum ids_kind kind)
{
	struct ids ids = *ids_of(&c->s->ids, c->pid);
	const uint32_t wanted[3] = {(uint32_t)c->args[0], (uint32_t)c->args[1],
				    (uint32_t)c->args[2]};
	int r = ids_set_three(&ids.of[kind], wanted, is_privileged(&ids));

	return r < 0 ? r : keep(c, &ids);
}

/* Returns the id before, whether it changed it or not. */
static long set_file(struct call *c, enum ids_kind kind)
{
	struct ids ids = *ids_of(&c->s->ids, c->pid);
	struct ids_set *set = &ids.of[kind];
	const uint32_t before = set->file, wanted = (uint32_t)c->args[0];

	if (wanted != UINT32_MAX && (is_privileged(&ids) || wanted == set->real ||
				     wanted == set->effective || wanted == set->saved)) {
		set->file = wanted;
		(void)keep(c, &ids);
	}
	return before;
}

long handle_setuid(struct call *c)
{
	return (uint32_t)c->args[0] == UINT32_MAX ? -EINVAL : set_one(c, IDS_USER);
}

long handle_setgid(struct call *c)
{
	return (uint32_t)c->args[0] == UINT32_MAX ? -EINVAL : set_one(c, IDS_GROUP);
}

long handle_setreuid(struct call *c)
{
	return set_two(c, IDS_USER);
}

long handle_setregid(struct call *c)
{
	return set_two(c, IDS_GROUP);
}

long handle_setresuid(struct call *c)
{
	return set_three(c, IDS_USER);
}

long handle_setresgid(struct call *c)
{
	return set_three(c, IDS_GROUP);
}

long handle_setfsuid(struct call *c)
{
	return set_file(c, IDS_USER);
}

long handle_setfsgid(struct call *c)
{
	return set_file(c, IDS_GROUP);
}

long handle_setgroups(struct call *c)
{
	struct ids ids = *ids_of(&c->s->ids, c->pid);
	CLEANUP(free_ptr) uint32_t *groups = NULL;
	const size_t count = (size_t)c->args[0];
	int r = 0;

	if (!is_privileged(&ids))
		return -EPERM;
	if (count > IDS_GROUPS)
		return -EINVAL;
	groups = xcalloc(count + 1, sizeof(*groups));
	if (count > 0)
		r = call_read(c, c->args[1], groups, count * sizeof(*groups));
	if (r < 0)
		return r;
	ids.groups = groups;
	ids.group_count = count;
	return keep(c, &ids);
}
