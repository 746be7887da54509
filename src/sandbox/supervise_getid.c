/* SPDX-License-Identifier: Apache-2.0
 * Calls that ask for the ids of a process. */
#include "sandbox/supervise_call.h"

#include <errno.h>

static const struct ids_set *set_of(const struct call *c, enum ids_kind kind)
{
	return &ids_of(&c->s->ids, c->pid)->of[kind];
}

long handle_getuid(struct call *c)
{
	return set_of(c, IDS_USER)->real;
}

long handle_geteuid(struct call *c)
{
	return set_of(c, IDS_USER)->effective;
}

long handle_getgid(struct call *c)
{
	return set_of(c, IDS_GROUP)->real;
}

long handle_getegid(struct call *c)
{
	return set_of(c, IDS_GROUP)->effective;
}

static int get_three(struct call *c, enum ids_kind kind)
{
	const struct ids_set *set = set_of(c, kind);
	const uint32_t values[] = {set->real, set->effective, set->saved};
	int r = 0;

	for (int i = 0; r == 0 && i < 3; i++)
		r = call_write(c, c->args[i], &values[i], sizeof(values[i]));
	return r;
}

long handle_getresuid(struct call *c)
{
	return get_three(c, IDS_USER);
}

long handle_getresgid(struct call *c)
{
	return get_three(c, IDS_GROUP);
}

long handle_getgroups(struct call *c)
{
	const struct ids *ids = ids_of(&c->s->ids, c->pid);
	const int room = (int)c->args[0];
	int r;

	if (room < 0 || (room > 0 && (size_t)room < ids->group_count))
		return -EINVAL;
	if (room == 0 || ids->group_count == 0)
		return (int)ids->group_count;
	r = call_write(c, c->args[1], ids->groups, ids->group_count * sizeof(*ids->groups));
	return r < 0 ? r : (int)ids->group_count;
}
