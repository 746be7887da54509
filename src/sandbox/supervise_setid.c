/* SPDX-License-Identifier: Apache-2.0
 * Calls that change the ids of a process. */
#include "sandbox/supervise_call.h"

#include <errno.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include "base/buf.h"
#include "base/cleanup.h"

static int keep(struct call *c, const struct ids *changed)
{
	return ids_change(&c->s->ids, c->pid, changed);
}

static int set_one(struct call *c, enum ids_kind kind)
{
	struct ids ids = *ids_of(&c->s->ids, c->pid);
	int r = ids_set_one(&ids.of[kind], (uint32_t)c->args[0], call_is_privileged(c));

	return r < 0 ? r : keep(c, &ids);
}

static int set_two(struct call *c, enum ids_kind kind)
{
	struct ids ids = *ids_of(&c->s->ids, c->pid);
	int r = ids_set_two(&ids.of[kind], (uint32_t)c->args[0], (uint32_t)c->args[1],
			    call_is_privileged(c));

	return r < 0 ? r : keep(c, &ids);
}

static int set_three(struct call *c, enum ids_kind kind)
{
	struct ids ids = *ids_of(&c->s->ids, c->pid);
	const uint32_t wanted[3] = {(uint32_t)c->args[0], (uint32_t)c->args[1],
				    (uint32_t)c->args[2]};
	int r = ids_set_three(&ids.of[kind], wanted, call_is_privileged(c));

	return r < 0 ? r : keep(c, &ids);
}

/* Returns the id before, whether it changed it or not. */
static long set_file(struct call *c, enum ids_kind kind)
{
	struct ids ids = *ids_of(&c->s->ids, c->pid);
	struct ids_set *set = &ids.of[kind];
	const uint32_t before = set->file, wanted = (uint32_t)c->args[0];

	if (wanted != UINT32_MAX && (call_is_privileged(c) || wanted == set->real ||
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

	if (!call_is_privileged(c))
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

/* The kernel sees to it as well: our processes have root's rights in its eyes anyway. */
long handle_prctl(struct call *c)
{
	struct ids ids = *ids_of(&c->s->ids, c->pid);
	const unsigned long bits =
		issecure_mask(SECURE_KEEP_CAPS) | issecure_mask(SECURE_NO_SETUID_FIXUP);
	bool keeps =
		(int)c->args[0] == PR_SET_KEEPCAPS ? c->args[1] != 0 : (c->args[1] & bits) != 0;

	if (call_is_privileged(c)) {
		ids.keeper = keeps ? call_program(c) : 0;
		(void)keep(c, &ids);
	}
	return SUPERVISE_CONTINUE;
}
