/* SPDX-License-Identifier: Apache-2.0 */
#include "base/owner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include "base/buf.h"

/* "A:B" at the start of *text, which is moved behind it. */
static bool take_pair(const char **text, uint32_t *ret_a, uint32_t *ret_b)
{
	uint32_t *const ret[] = {ret_a, ret_b};
	const char *at = *text;

	for (int i = 0; i < 2; i++) {
		const char *start = at;
		uint64_t value = 0;

		for (; *at >= '0' && *at <= '9' && value <= UINT32_MAX; at++)
			value = value * 10 + (uint64_t)(*at - '0');
		if (at == start || value > UINT32_MAX || (*start == '0' && at > start + 1) ||
		    (i == 0 && *at++ != ':'))
			return false;
		*ret[i] = (uint32_t)value;
	}
	*text = at;
	return true;
}

bool owner_record_parse(const char *text, size_t len, struct owner_record *ret)
{
	struct owner_record record = {.owned = false};
	char copy[OWNER_RECORD_TEXT];
	const char *at = copy;
	uint32_t major_number, minor_number;

	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (*at >= '0' && *at <= '9') {
		record.owned = true;
		if (!take_pair(&at, &record.uid, &record.gid))
			return false;
	}
	if (*at == 'c' || *at == 'b') {
		record.device = true;
		record.type = *at++ == 'c' ? S_IFCHR : S_IFBLK;
		if (!take_pair(&at, &major_number, &minor_number))
			return false;
		record.rdev = makedev(major_number, minor_number);
	}
	if (*at != '\0')
		return false;
	*ret = record;
	return true;
}

size_t owner_record_format(const struct owner_record *record, char text[OWNER_RECORD_TEXT])
{
	int len = 0;

	text[0] = '\0';
	if (record->owned)
		len = snprintf(text, OWNER_RECORD_TEXT, "%u:%u", record->uid, record->gid);
	if (record->device)
		len += snprintf(text + len, (size_t)(OWNER_RECORD_TEXT - len), "%c%u:%u",
				record->type == S_IFCHR ? 'c' : 'b', major(record->rdev),
				minor(record->rdev));
	return (size_t)len;
}

int owner_record_get(const char *path, bool follow, struct owner_record *ret)
{
	char text[OWNER_RECORD_TEXT];
	ssize_t len = follow ? getxattr(path, OWNER_XATTR, text, sizeof(text))
			     : lgetxattr(path, OWNER_XATTR, text, sizeof(text));

	*ret = (struct owner_record){.owned = false};
	if (len < 0)
		return errno == ENODATA || errno == ENOTSUP || errno == ERANGE ? 0 : -errno;
	(void)owner_record_parse(text, (size_t)len, ret);
	return 0;
}

static int remove_record(const char *path, bool follow)
{
	int r = follow ? removexattr(path, OWNER_XATTR) : lremovexattr(path, OWNER_XATTR);

	return r < 0 && errno != ENODATA && errno != ENOTSUP ? -errno : 0;
}

int owner_record_set(const char *path, bool follow, const struct owner_record *record)
{
	char text[OWNER_RECORD_TEXT];
	size_t len = owner_record_format(record, text);
	int r;

	if (len == 0)
		return remove_record(path, follow);
	r = follow ? setxattr(path, OWNER_XATTR, text, len, 0)
		   : lsetxattr(path, OWNER_XATTR, text, len, 0);
	return r < 0 ? -errno : 0;
}

void owner_record_apply(const struct owner_record *record, enum owner_mode mode, struct stat *st)
{
	if (mode == OWNER_ONE) {
		st->st_uid = record->owned ? record->uid : 0;
		st->st_gid = record->owned ? record->gid : 0;
	}
	if (!record->device || !S_ISREG(st->st_mode) || st->st_size != 0)
		return;
	st->st_mode = record->type | (st->st_mode & 07777);
	st->st_rdev = record->rdev;
}
