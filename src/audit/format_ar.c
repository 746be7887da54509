/* SPDX-License-Identifier: Apache-2.0
 *
 *	archive = "!<arch>\n" { header data [ "\n" ] }	padded to even offsets
 *	header  = name[16] date[12] uid[6] gid[6] mode[8] size[10] "`\n"
 *
 * GNU: "//" holds names of more than 15 bytes, of which a name is "/" offset; "/" and "/SYM64/" are
 * indexes of symbols. BSD: a name "#1/" length stands before the data. */
#include "audit/formats.h"

#include <string.h>
#include "audit/members.h"
#include "base/cleanup.h"

enum {
	MAGIC = 8,
	HEADER = 60,
	NAME = 16,
	DATE_AT = 16,
	UID_AT = 28,
	GID_AT = 34,
	MODE_AT = 40,
	SIZE_AT = 48,
	END_AT = 58,
	NAME_LEN_MAX = 4096
};

struct ar {
	const struct content *content;
	size_t at;
	const unsigned char *names; /* of "//" */
	size_t names_len;
};

/* A number padded with spaces; empty: 0. */
static bool number(const unsigned char *text, size_t len, unsigned base, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < len && text[i] >= '0' && text[i] < '0' + (int)base; i++)
		value = value * base + (uint64_t)(text[i] - '0'); /* 12 digits at most */
	*ret = value;
	for (; i < len; i++)
		if (text[i] != ' ')
			return false;
	return true;
}

static char *plain_name(const unsigned char *name, size_t len)
{
	while (len > 0 && name[len - 1] == ' ')
		len--;
	if (len > 1 && name[len - 1] == '/' && name[0] != '/')
		len--;
	return xstrndup((const char *)name, len < NAME_LEN_MAX ? len : NAME_LEN_MAX);
}

/* "/123" */
static char *long_name(const struct ar *ar, const unsigned char *header)
{
	uint64_t at;
	const unsigned char *name, *end;

	if (!number(header + 1, NAME - 1, 10, &at) || at >= ar->names_len)
		return NULL;
	name = ar->names + at;
	end = memchr(name, '\n', ar->names_len - (size_t)at);
	end = end ? end : ar->names + ar->names_len;
	return plain_name(name, (size_t)(end - name));
}

/* "#1/20": the name is taken off the data. */
static char *bsd_name(const unsigned char *header, struct member *m)
{
	uint64_t len;
	char *name;

	if (!number(header + 3, NAME - 3, 10, &len) || len > m->len)
		return NULL;
	name = xstrndup((const char *)m->data, (size_t)len);
	m->data += len;
	m->len -= (size_t)len;
	return name;
}

static bool read_header(const unsigned char *h, struct member *m, uint64_t *size)
{
	uint64_t date, mode;

	if (!number(h + DATE_AT, 12, 10, &date) || !number(h + UID_AT, 6, 10, &m->uid) ||
	    !number(h + GID_AT, 6, 10, &m->gid) || !number(h + MODE_AT, 8, 8, &mode) ||
	    !number(h + SIZE_AT, 10, 10, size) || memcmp(h + END_AT, "`\n", 2) != 0)
		return false;
	m->time = (int64_t)date;
	m->mode = (unsigned)mode;
	m->type = '0';
	return true;
}

static bool read_member(struct ar *ar, struct member *m)
{
	const struct content *c = ar->content;
	const unsigned char *h = c->data + ar->at;
	uint64_t size;

	if (c->len - ar->at < HEADER || !read_header(h, m, &size) ||
	    size > c->len - ar->at - HEADER)
		return false;
	m->data = h + HEADER;
	m->len = (size_t)size;
	m->size = size;
	ar->at += HEADER + (size_t)size;
	if (ar->at % 2 && ar->at < c->len)
		ar->at++;
	if (memcmp(h, "//", 2) == 0) {
		ar->names = m->data;
		ar->names_len = m->len;
	}
	if (h[0] == '/' && h[1] >= '0' && h[1] <= '9')
		m->name = long_name(ar, h);
	else if (memcmp(h, "#1/", 3) == 0)
		m->name = bsd_name(h, m);
	else
		m->name = plain_name(h, NAME);
	return m->name != NULL;
}

/* Indexes follow from the members: they are no members. */
static bool is_index(const struct member *m)
{
	return str_equal(m->name, "/") || str_equal(m->name, "//") ||
	       str_equal(m->name, "/SYM64/") || str_starts(m->name, "__.SYMDEF");
}

static bool read_archive(const struct content *c, struct members *ret)
{
	struct ar ar = {.content = c, .at = MAGIC};
	size_t kept = 0;

	while (ar.at < c->len) {
		struct member *m = members_add(ret);

		if (!m || !read_member(&ar, m)) {
			if (m && !m->name)
				m->name = xstrdup("");
			return false;
		}
		if (is_index(m)) {
			free_ptr(&m->name);
			ret->count--;
		} else {
			m->order = kept++;
		}
	}
	return true;
}

bool format_ar(struct findings *f, const struct content *a, const struct content *b)
{
	static const struct members_rules rules = {
		.stamp = CURE_AR_STAMP, .order = CURE_AR_ORDER, .order_matters = true};

	return members_compare_archives(f, &rules, a, b, read_archive, "index of symbols or names");
}
