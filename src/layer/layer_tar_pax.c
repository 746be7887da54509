/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_tar_pax.h"

#include <string.h>
#include "base/cleanup.h"

#define XATTR "SCHILY.xattr."

void tar_pax_release(struct tar_pax *p)
{
	buf_release(&p->path);
	buf_release(&p->link);
	layer_xattrs_release(&p->xattrs);
	*p = (struct tar_pax){.xattrs = LAYER_XATTRS_INIT};
}

struct record {
	char *keyword;
	const char *value;
	size_t size;
};

static void record_release(struct record *r)
{
	free_ptr(&r->keyword);
}

/* The length at the start of a record; 0: there is none that fits. */
static size_t record_length(const char *text, size_t len, size_t *ret_digits)
{
	size_t value = 0, i = 0;

	while (i < len && i < 8 && text[i] >= '0' && text[i] <= '9')
		value = value * 10 + (size_t)(text[i++] - '0');
	if (i == 0 || i == len || text[i] != ' ' || value > len || value < i + 3)
		return 0;
	*ret_digits = i;
	return text[value - 1] == '\n' ? value : 0;
}

/* Splits the record at text; returns its length, 0 where it is malformed. */
static size_t split_record(const char *text, size_t len, struct record *ret)
{
	size_t digits, total = record_length(text, len, &digits);
	const char *equals, *keyword;

	if (total == 0)
		return 0;
	keyword = text + digits + 1;
	equals = memchr(keyword, '=', total - digits - 2);
	if (!equals || equals == keyword || memchr(keyword, '\0', (size_t)(equals - keyword)))
		return 0;
	ret->keyword = xstrndup(keyword, (size_t)(equals - keyword));
	ret->value = equals + 1;
	ret->size = (size_t)(text + total - 1 - ret->value);
	return total;
}

static bool get_number(const struct record *r, bool *ret_has, uint64_t *ret)
{
	CLEANUP(free_ptr) char *text = xstrndup(r->value, r->size);
	unsigned long long value;

	if (strlen(text) != r->size || !str_to_u64(text, INT64_MAX, &value))
		return false;
	*ret_has = true;
	*ret = value;
	return true;
}

/* [-]seconds[.fraction] */
static bool get_time(const struct record *r, struct tar_pax *p)
{
	CLEANUP(free_ptr) char *text = xstrndup(r->value, r->size);
	bool negative = text[0] == '-';
	char *dot = strchr(text, '.');
	unsigned long long seconds;
	long nanoseconds = 0, unit = 100000000;

	for (const char *d = dot ? dot + 1 : ""; *d; d++, unit /= 10) {
		if (*d < '0' || *d > '9')
			return false;
		nanoseconds += (*d - '0') * unit;
	}
	if (dot)
		*dot = '\0';
	if (!str_to_u64(text + negative, INT64_MAX / 2, &seconds))
		return false;
	p->has_mtime = true;
	p->mtime = (struct timespec){(time_t)seconds, nanoseconds};
	if (negative) {
		p->mtime.tv_sec = -(time_t)seconds - (nanoseconds > 0);
		p->mtime.tv_nsec = nanoseconds > 0 ? 1000000000 - nanoseconds : 0;
	}
	return true;
}

static bool get_name(const struct record *r, struct buf *ret)
{
	buf_reset(ret);
	buf_add(ret, r->value, r->size);
	return !memchr(r->value, '\0', r->size);
}

/* False: the value is malformed. An empty value takes a former one back. */
static bool take_record(struct tar_pax *p, const struct record *r)
{
	if (str_equal(r->keyword, "path"))
		return get_name(r, &p->path);
	if (str_equal(r->keyword, "linkpath"))
		return get_name(r, &p->link);
	if (str_starts(r->keyword, XATTR)) {
		layer_xattrs_add(&p->xattrs, r->keyword + strlen(XATTR), r->value, r->size);
		return true;
	}
	if (r->size == 0)
		return true;
	if (str_equal(r->keyword, "size"))
		return get_number(r, &p->has_size, &p->size);
	if (str_equal(r->keyword, "uid"))
		return get_number(r, &p->has_uid, &p->uid);
	if (str_equal(r->keyword, "gid"))
		return get_number(r, &p->has_gid, &p->gid);
	if (str_equal(r->keyword, "mtime"))
		return get_time(r, p);
	return !str_starts(r->keyword, "GNU.sparse.");
}

int tar_pax_parse(struct tar_pax *p, const char *records, size_t len, struct varve_error *err)
{
	for (size_t at = 0; at < len;) {
		CLEANUP(record_release) struct record r = {.keyword = NULL};
		size_t n = split_record(records + at, len - at, &r);

		if (n == 0)
			return varve_error_set(err, -VARVE_E_FORMAT, "malformed pax header");
		if (!take_record(p, &r))
			return varve_error_set(err, -VARVE_E_FORMAT,
					       "pax header: \"%s\" is malformed or not supported",
					       r.keyword);
		at += n;
	}
	layer_xattrs_sort(&p->xattrs);
	return 0;
}
