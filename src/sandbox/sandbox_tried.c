/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_tried.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"

enum kind { NUMBER, LONG, ID, YES_NO, TEXT };

#define AT(member, kind)                                                                           \
	{                                                                                          \
#member, kind, offsetof(struct sandbox_tried, member),                             \
			sizeof(((struct sandbox_tried *)0)->member)                                \
	}

/* One serialiser: a member is written and read, or neither. */
static const struct member {
	const char *name;
	enum kind kind;
	size_t offset, size;
} members[] = {
	AT(uid, ID),
	AT(gid, ID),
	AT(user, TEXT),
	AT(settings.max_user_namespaces, LONG),
	AT(settings.unprivileged_userns_clone, LONG),
	AT(settings.apparmor_restrict, LONG),
	AT(settings.seccomp, LONG),
	AT(settings.chrooted, YES_NO),
	AT(settings.container, LONG),
	AT(mounts, NUMBER),
	AT(namespaces, NUMBER),
	AT(root_owners, NUMBER),
	AT(range_owners, NUMBER),
	AT(newuidmap, TEXT),
	AT(newgidmap, TEXT),
	AT(uids.first, ID),
	AT(uids.count, ID),
	AT(gids.first, ID),
	AT(gids.count, ID),
	AT(free_ids, ID),
	AT(ranges_refused, TEXT),
	AT(overlay, YES_NO),
	AT(overlay_refused, TEXT),
	AT(bwrap_new_enough, YES_NO),
	AT(bwrap_runs, YES_NO),
	AT(bwrap, TEXT),
	AT(bwrap_version, TEXT),
	AT(bwrap_refused, TEXT),
	AT(listener, NUMBER),
	AT(chroot, NUMBER),
	AT(fs_type, ID),
	AT(files, NUMBER),
	AT(xattrs, NUMBER),
	AT(whiteouts, NUMBER),
	AT(reflinks, YES_NO),
};

void sandbox_tried_init(struct sandbox_tried *ret)
{
	*ret = (struct sandbox_tried){
		.mounts = SANDBOX_NOT_TRIED,
		.namespaces = SANDBOX_NOT_TRIED,
		.root_owners = SANDBOX_NOT_TRIED,
		.range_owners = SANDBOX_NOT_TRIED,
		.listener = SANDBOX_NOT_TRIED,
		.chroot = SANDBOX_NOT_TRIED,
		.files = SANDBOX_NOT_TRIED,
		.xattrs = SANDBOX_NOT_TRIED,
		.whiteouts = SANDBOX_NOT_TRIED,
	};
}

static json_t *value_of(const struct member *member, const void *at)
{
	switch (member->kind) {
	case NUMBER:
		return json_integer(*(const int *)at);
	case LONG:
		return json_integer(*(const long *)at);
	case ID:
		return json_integer(*(const uint32_t *)at);
	case YES_NO:
		return json_boolean(*(const bool *)at);
	case TEXT:
		break;
	}
	return json_text(at);
}

json_t *sandbox_tried_to_json(const struct sandbox_tried *tried)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(members); i++)
		json_set(object, members[i].name,
			 value_of(&members[i], (const char *)tried + members[i].offset));
	return object;
}

static bool take_integer(const json_t *value, json_int_t minimum, json_int_t maximum,
			 json_int_t *ret)
{
	*ret = json_integer_value(value);
	return json_is_integer(value) && *ret >= minimum && *ret <= maximum;
}

static bool take(const struct member *member, const json_t *value, void *at)
{
	json_int_t number = 0;
	bool fits = true;

	switch (member->kind) {
	case NUMBER:
		fits = take_integer(value, INT_MIN, INT_MAX, &number);
		*(int *)at = (int)number;
		return fits;
	case LONG:
		fits = take_integer(value, LONG_MIN, LONG_MAX, &number);
		*(long *)at = (long)number;
		return fits;
	case ID:
		fits = take_integer(value, 0, UINT32_MAX, &number);
		*(uint32_t *)at = (uint32_t)number;
		return fits;
	case YES_NO:
		*(bool *)at = json_is_true(value);
		return json_is_boolean(value);
	case TEXT:
		break;
	}
	if (!json_is_string(value) || json_string_length(value) >= member->size)
		return false;
	memcpy(at, json_string_value(value), json_string_length(value) + 1);
	return true;
}

bool sandbox_tried_from_json(const json_t *object, struct sandbox_tried *ret)
{
	struct sandbox_tried tried;
	size_t i;

	sandbox_tried_init(&tried);
	for (i = 0; i < ARRAY_SIZE(members); i++)
		if (!take(&members[i], json_object_get(object, members[i].name),
			  (char *)&tried + members[i].offset))
			return false;
	*ret = tried;
	return true;
}
