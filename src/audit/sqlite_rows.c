/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/sqlite_rows.h"

#include <stdlib.h>
#include <string.h>
#include "audit/sqlite_pages.h"
#include "base/cleanup.h"
#include "base/digest.h"

/* Columns of sqlite_schema. */
enum { TYPE, NAME, TABLE_NAME, ROOT, SQL, COLUMNS };

struct column {
	const unsigned char *data; /* borrowed */
	size_t len;
	bool number;
};

/* Bytes of a value of this serial type. */
static uint64_t len_of(uint64_t type)
{
	static const unsigned char fixed[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};

	if (type < ARRAY_SIZE(fixed))
		return fixed[type];
	return type < 12 ? 0 : (type - 12) / 2;
}

/*	record = header length, { serial type }, { value } */
static bool split_record(const struct buf *record, struct column columns[COLUMNS])
{
	const unsigned char *start = (const unsigned char *)buf_text(record), *at = start,
			    *end = start + record->len, *values;
	uint64_t header, type;

	if (!sqlite_varint(&at, end, &header) || header > record->len)
		return false;
	values = start + header;
	for (size_t i = 0; i < COLUMNS; i++) {
		uint64_t len;

		if (!sqlite_varint(&at, start + header, &type))
			return false;
		len = len_of(type);
		if (len > (uint64_t)(end - values))
			return false;
		columns[i] = (struct column){values, (size_t)len, type < 12};
		values += len;
	}
	return true;
}

static uint64_t number_of(const struct column *c)
{
	uint64_t value = 0;

	for (size_t i = 0; c->number && i < c->len && i < 8; i++)
		value = value << 8 | c->data[i];
	return value;
}

static bool add_table(void *cookie, uint64_t row, const struct buf *record)
{
	struct sqlite_rows *rows = cookie;
	struct column columns[COLUMNS];
	struct sqlite_table *table;

	(void)row;
	if (rows->count == SQLITE_TABLES_MAX || !split_record(record, columns))
		return false;
	rows->items = array_grow(rows->items, rows->count, &rows->alloc, sizeof(*rows->items));
	table = &rows->items[rows->count++];
	*table = (struct sqlite_table){
		.name = xstrndup((const char *)columns[NAME].data, columns[NAME].len),
		.sql = xstrndup((const char *)columns[SQL].data, columns[SQL].len),
		.root = number_of(&columns[ROOT])};
	return true;
}

struct counted {
	struct hasher *hasher;
	uint64_t count;
};

static bool hash_row(void *cookie, uint64_t row, const struct buf *record)
{
	struct counted *counted = cookie;
	uint64_t head[2] = {row, record->len};

	hasher_update(counted->hasher, head, sizeof(head));
	hasher_update(counted->hasher, buf_text(record), record->len);
	counted->count++;
	return true;
}

static bool hash_table(struct sqlite_pages *pages, struct sqlite_table *table)
{
	CLEANUP(hasher_freep) struct hasher *hasher = hasher_new();
	struct counted counted = {.hasher = hasher};

	if (table->root != 0 && !sqlite_pages_walk(pages, table->root, hash_row, &counted))
		return false;
	table->count = counted.count;
	hasher_final(hasher, &table->rows);
	return true;
}

static int by_name(const void *left, const void *right)
{
	const struct sqlite_table *a = left, *b = right;

	return strcmp(a->name, b->name);
}

bool sqlite_rows_read(const struct content *c, struct sqlite_rows *ret)
{
	CLEANUP(sqlite_rows_release) struct sqlite_rows rows = {0};
	CLEANUP(sqlite_pages_release) struct sqlite_pages pages = {0};

	if (!sqlite_pages_init(c, &pages) || !sqlite_pages_walk(&pages, 1, add_table, &rows))
		return false;
	for (size_t i = 0; i < rows.count; i++)
		if (!hash_table(&pages, &rows.items[i]))
			return false;
	if (rows.count > 1)
		qsort(rows.items, rows.count, sizeof(*rows.items), by_name);
	*ret = rows;
	rows = (struct sqlite_rows){0};
	return true;
}

void sqlite_rows_release(struct sqlite_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		free(rows->items[i].name);
		free(rows->items[i].sql);
	}
	free(rows->items);
	*rows = (struct sqlite_rows){0};
}
