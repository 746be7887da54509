/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/formats.h"

#include <stdio.h>
#include <string.h>
#include "audit/inflated.h"
#include "base/cleanup.h"

/* RFC 1952. */
enum {
	FLAGS_AT = 3,
	TIME_AT = 4,
	LEVEL_AT = 8,
	SYSTEM_AT = 9,
	HEADER = 10,
	HAS_EXTRA = 4,
	HAS_NAME = 8
};

static unsigned long long time_of(const struct content *c)
{
	const unsigned char *p = c->data + TIME_AT;

	return (unsigned long long)p[0] | (unsigned long long)p[1] << 8 |
	       (unsigned long long)p[2] << 16 | (unsigned long long)p[3] << 24;
}

/* The name in the header; NULL: none. Caller frees. */
static char *name_of(const struct content *c)
{
	const unsigned char *p = c->data + HEADER;
	size_t left = c->len - HEADER;

	if (!(c->data[FLAGS_AT] & HAS_NAME))
		return NULL;
	if (c->data[FLAGS_AT] & HAS_EXTRA) {
		size_t extra = left < 2 ? left : 2 + ((size_t)p[0] | (size_t)p[1] << 8);

		if (extra > left)
			return NULL;
		p += extra;
		left -= extra;
	}
	return xstrndup((const char *)p, strnlen((const char *)p, left));
}

static void compare_headers(struct findings *f, const struct content *a, const struct content *b)
{
	CLEANUP(free_ptr) char *left = name_of(a);
	CLEANUP(free_ptr) char *right = name_of(b);
	struct finding one = {.stamp = true, .rule = CURE_GZIP_STAMP};

	one.where = "header: date";
	findings_add_numbers(f, &one, time_of(a), time_of(b));
	one.where = "header: level";
	findings_add_numbers(f, &one, a->data[LEVEL_AT], b->data[LEVEL_AT]);
	one.where = "header: system";
	findings_add_numbers(f, &one, a->data[SYSTEM_AT], b->data[SYSTEM_AT]);
	one.where = "header: name";
	one.a = left;
	one.b = right;
	if (!str_equal(left, right))
		findings_add(f, &one);
}

static bool compare_data(struct findings *f, enum inflated_form form, const struct content *a,
			 const struct content *b, const char *suffix)
{
	CLEANUP(buf_release) struct buf left = BUF_INIT;
	CLEANUP(buf_release) struct buf right = BUF_INIT;
	CLEANUP(free_ptr) char *name = xstrdup(a->name);
	size_t before = f->count;

	if (!inflated(form, a->data, a->len, &left) || !inflated(form, b->data, b->len, &right))
		return false;
	if (str_ends(name, suffix))
		name[strlen(name) - strlen(suffix)] = '\0';
	content_compare_members(
		f, "data inside",
		&(struct content){name, (const unsigned char *)buf_text(&left), left.len},
		&(struct content){name, (const unsigned char *)buf_text(&right), right.len});
	if (f->count == before)
		findings_add(f, &(struct finding){.where = "the same data compressed otherwise",
						  .stamp = true,
						  .rule = CURE_GZIP_STAMP});
	return true;
}

bool format_gzip(struct findings *f, const struct content *a, const struct content *b)
{
	if (a->len < HEADER || b->len < HEADER)
		return false;
	compare_headers(f, a, b);
	return compare_data(f, INFLATED_GZIP, a, b, ".gz");
}

bool format_zstd(struct findings *f, const struct content *a, const struct content *b)
{
	return compare_data(f, INFLATED_ZSTD, a, b, ".zst");
}
