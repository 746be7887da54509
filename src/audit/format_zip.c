/* SPDX-License-Identifier: Apache-2.0
 * Zip archives by their central directory; no zip64, which small files do not need. */
#include "audit/formats.h"

#include <string.h>
#include "audit/members.h"
#include "base/cleanup.h"

enum { END = 22, COMMENT_MAX = 65535, ENTRY = 46, LOCAL = 30, STORED = 0, DEFLATED = 8 };

static uint32_t u16(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const unsigned char *p)
{
	return u16(p) | u16(p + 2) << 16;
}

/* The end record is the last thing, before a comment. */
static const unsigned char *find_end(const struct content *c)
{
	for (size_t back = END; back <= c->len && back <= END + COMMENT_MAX; back++)
		if (memcmp(c->data + c->len - back, "PK\005\006", 4) == 0)
			return c->data + c->len - back;
	return NULL;
}

/* Where the data begins, told by the local header. */
static bool find_data(const struct content *c, size_t local, struct member *m, size_t len)
{
	size_t skip;

	if (local > c->len || c->len - local < LOCAL ||
	    memcmp(c->data + local, "PK\003\004", 4) != 0)
		return false;
	skip = LOCAL + u16(c->data + local + 26) + u16(c->data + local + 28);
	if (skip > c->len - local || len > c->len - local - skip)
		return false;
	m->data = c->data + local + skip;
	m->len = len;
	return true;
}

/* Returns the entry's length, 0 where it is malformed. */
static size_t read_entry(const struct content *c, const unsigned char *e, size_t left,
			 struct member *m)
{
	size_t name, extra, len;

	if (left < ENTRY || memcmp(e, "PK\001\002", 4) != 0)
		return 0;
	name = u16(e + 28);
	extra = u16(e + 30);
	len = ENTRY + name + extra + u16(e + 32);
	if (len > left)
		return 0;
	m->name = xstrndup((const char *)e + ENTRY, name);
	m->type = '0';
	m->deflated = u16(e + 10) == DEFLATED;
	m->opaque = (u16(e + 10) != DEFLATED && u16(e + 10) != STORED) || u16(e + 8) & 1;
	m->time = (int64_t)(u16(e + 14) << 16 | u16(e + 12));
	m->checksum = u32(e + 16);
	m->size = u32(e + 24);
	m->mode = u32(e + 38) >> 16;
	m->extra = (struct content){"", e + ENTRY + name, extra};
	return find_data(c, u32(e + 42), m, u32(e + 20)) ? len : 0;
}

static bool read_archive(const struct content *c, struct members *ret)
{
	const unsigned char *end = c->len >= END ? find_end(c) : NULL, *at;
	size_t count, offset;

	if (!end)
		return false;
	count = u16(end + 10);
	offset = u32(end + 16);
	if (offset > (size_t)(end - c->data))
		return false;
	at = c->data + offset;
	for (size_t i = 0; i < count; i++) {
		struct member *m = members_add(ret);
		size_t len = m ? read_entry(c, at, (size_t)(end - at), m) : 0;

		if (m && !m->name)
			m->name = xstrdup("");
		if (len == 0)
			return false;
		at += len;
	}
	return true;
}

bool format_zip(struct findings *f, const struct content *a, const struct content *b)
{
	static const struct members_rules rules = {.stamp = CURE_ZIP_STAMP,
						   .order = CURE_MEMBER_ORDER};

	return members_compare_archives(f, &rules, a, b, read_archive,
					"headers or data between members");
}
