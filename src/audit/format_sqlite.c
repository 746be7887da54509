/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/formats.h"

#include <string.h>
#include "audit/sqlite_pages.h"
#include "audit/sqlite_rows.h"
#include "base/cleanup.h"

/* Fields of the header; what only counts how often and by what the file was written is a stamp. */
static const struct {
	const char *where;
	size_t at, len;
	bool stamp;
} fields[] = {
	{"header: page size", 16, 2, true},
	{"header: write version", 18, 1, false}, /* rollback journal, or write-ahead log */
	{"header: change counter", 24, 4, true},
	{"header: pages", 28, 4, true},
	{"header: free pages", 36, 4, true},
	{"header: schema cookie", 40, 4, true},
	{"header: text encoding", 56, 4, false},
	{"header: user version", 60, 4, false},
	{"header: application id", 68, 4, false},
	{"header: version valid for", 92, 4, true},
	{"header: SQLite version", 96, 4, true},
};

static unsigned long long number(const unsigned char *at, size_t len)
{
	unsigned long long value = 0;

	for (size_t i = 0; i < len; i++)
		value = value << 8 | at[i];
	return value;
}

static void compare_headers(struct findings *f, const struct content *a, const struct content *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		findings_add_numbers(
			f,
			&(struct finding){.where = fields[i].where,
					  .stamp = fields[i].stamp,
					  .rule = fields[i].stamp ? CURE_SQLITE_STAMP : CURE_NONE},
			number(a->data + fields[i].at, fields[i].len),
			number(b->data + fields[i].at, fields[i].len));
}

static void add(struct findings *f, const char *name, const char *what, const char *a,
		const char *b)
{
	CLEANUP(free_ptr) char *where = xasprintf("table %s%s", name, what);

	findings_add(f, &(struct finding){.where = where, .a = a, .b = b});
}

static void compare_table(struct findings *f, const struct sqlite_table *a,
			  const struct sqlite_table *b)
{
	CLEANUP(free_ptr) char *left = xasprintf("%llu rows", (unsigned long long)a->count);
	CLEANUP(free_ptr) char *right = xasprintf("%llu rows", (unsigned long long)b->count);

	if (!str_equal(a->sql, b->sql))
		add(f, a->name, ": definition", a->sql, b->sql);
	if (!varve_digest_equal(&a->rows, &b->rows))
		add(f, a->name, ": rows", left, right);
}

static void add_lonely(struct findings *f, const struct sqlite_table *only, bool in_a)
{
	add(f, only->name, "", in_a ? "there" : NULL, in_a ? NULL : "there");
}

static void compare_tables(struct findings *f, const struct sqlite_rows *a,
			   const struct sqlite_rows *b)
{
	size_t i = 0, k = 0;

	while (i < a->count || k < b->count) {
		int side = i == a->count   ? 1
			   : k == b->count ? -1
					   : strcmp(a->items[i].name, b->items[k].name);

		if (side == 0)
			compare_table(f, &a->items[i], &b->items[k]);
		else
			add_lonely(f, side < 0 ? &a->items[i] : &b->items[k], side < 0);
		i += side <= 0;
		k += side >= 0;
	}
}

/* Pages by number, where rows cannot be read. */
static void compare_pages(struct findings *f, const struct content *a, const struct content *b,
			  size_t page_size)
{
	size_t least = (a->len < b->len ? a->len : b->len) / page_size, count = 0;
	CLEANUP(free_ptr) char *where = NULL;

	for (size_t i = 0; i < least; i++)
		count += memcmp(a->data + i * page_size, b->data + i * page_size, page_size) != 0;
	where = xasprintf("%zu of %zu pages differ", count, least);
	findings_add(f, &(struct finding){.where = where});
}

bool format_sqlite(struct findings *f, const struct content *a, const struct content *b)
{
	CLEANUP(sqlite_pages_release) struct sqlite_pages pages = {0};
	CLEANUP(sqlite_rows_release) struct sqlite_rows left = {0};
	CLEANUP(sqlite_rows_release) struct sqlite_rows right = {0};
	size_t before;

	if (!sqlite_pages_init(a, &pages) || b->len < SQLITE_HEADER)
		return false;
	compare_headers(f, a, b);
	before = f->count;
	if (!sqlite_rows_read(a, &left) || !sqlite_rows_read(b, &right)) {
		compare_pages(f, a, b, pages.page_size);
		return true;
	}
	compare_tables(f, &left, &right);
	if (f->count == before)
		findings_add(f, &(struct finding){.where = "the same rows in other pages",
						  .stamp = true,
						  .rule = CURE_SQLITE_STAMP});
	return true;
}
