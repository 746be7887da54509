/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/sqlite_pages.h"

#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

enum {
	PAGE_SIZE_AT = 16,
	RESERVED_AT = 20,
	USABLE_LEAST = 480,
	DEPTH_MAX = 24,
	INDEX_INTERIOR = 2,
	TABLE_INTERIOR = 5,
	INDEX_LEAF = 10,
	TABLE_LEAF = 13,
	LEAF_HEADER = 8,
	INTERIOR_HEADER = 12
};

struct walk {
	struct sqlite_pages *pages;
	sqlite_row_fn row;
	void *cookie;
	struct buf payload;
};

static size_t u16(const unsigned char *p)
{
	return (size_t)p[0] << 8 | p[1];
}

static uint64_t u32(const unsigned char *p)
{
	return (uint64_t)u16(p) << 16 | u16(p + 2);
}

bool sqlite_pages_init(const struct content *c, struct sqlite_pages *ret)
{
	size_t size;

	if (c->len < SQLITE_HEADER)
		return false;
	size = u16(c->data + PAGE_SIZE_AT);
	size = size == 1 ? 65536 : size;
	if (size < 512 || (size & (size - 1)) != 0 || c->len < size ||
	    size - c->data[RESERVED_AT] < USABLE_LEAST)
		return false;
	*ret = (struct sqlite_pages){.content = c,
				     .page_size = size,
				     .usable = size - c->data[RESERVED_AT],
				     .count = c->len / size};
	ret->visited = xcalloc(ret->count + 1, 1);
	return true;
}

void sqlite_pages_release(struct sqlite_pages *pages)
{
	free(pages->visited);
	pages->visited = NULL;
}

/* NULL: no such page, or one that was visited. */
static const unsigned char *visit(struct sqlite_pages *p, uint64_t number)
{
	if (number == 0 || number > p->count || p->visited[number])
		return NULL;
	p->visited[number] = 1;
	return p->content->data + (number - 1) * p->page_size;
}

bool sqlite_varint(const unsigned char **at, const unsigned char *end, uint64_t *ret)
{
	uint64_t value = 0;

	for (int i = 0; i < 9; i++) {
		if (*at >= end)
			return false;
		if (i == 8) {
			*ret = value << 8 | *(*at)++;
			return true;
		}
		value = value << 7 | (**at & 0x7f);
		if (!(*(*at)++ & 0x80))
			break;
	}
	*ret = value;
	return true;
}

/* --- payload -------------------------------------------------------------------------------------
 */

/* Bytes of a payload that lie in the cell itself; the rest is in overflow pages. */
static size_t local_len(const struct sqlite_pages *p, bool table, uint64_t len)
{
	size_t most = table ? p->usable - 35 : (p->usable - 12) * 64 / 255 - 23;
	size_t least = (p->usable - 12) * 32 / 255 - 23;
	size_t kept;

	if (len <= most)
		return (size_t)len;
	kept = least + (size_t)((len - least) % (p->usable - 4));
	return kept <= most ? kept : least;
}

static bool take_overflow(struct walk *w, uint64_t page, uint64_t left)
{
	while (left > 0) {
		const unsigned char *at = visit(w->pages, page);
		size_t room = w->pages->usable - 4, n = left < room ? (size_t)left : room;

		if (!at)
			return false;
		buf_add(&w->payload, at + 4, n);
		page = u32(at);
		left -= n;
	}
	return true;
}

static bool take_payload(struct walk *w, const unsigned char *at, const unsigned char *end,
			 bool table, uint64_t len)
{
	size_t local = local_len(w->pages, table, len), room = (size_t)(end - at);

	if (len > w->pages->content->len || local > room)
		return false;
	buf_reset(&w->payload);
	buf_add(&w->payload, at, local);
	if (local == len)
		return true;
	return room - local >= 4 && take_overflow(w, u32(at + local), len - local);
}

/* --- trees ---------------------------------------------------------------------------------------
 */

static bool walk_page(struct walk *w, uint64_t number, int depth);

static bool walk_cell(struct walk *w, const unsigned char *at, const unsigned char *end, int type,
		      int depth)
{
	bool table = type == TABLE_LEAF;
	uint64_t len, row = 0;

	if (type == INDEX_INTERIOR || type == TABLE_INTERIOR) {
		if (end - at < 4 || !walk_page(w, u32(at), depth + 1))
			return false;
		at += 4;
	}
	if (type == TABLE_INTERIOR)
		return true;
	if (!sqlite_varint(&at, end, &len) || (table && !sqlite_varint(&at, end, &row)))
		return false;
	return take_payload(w, at, end, table, len) && w->row(w->cookie, row, &w->payload);
}

static bool walk_page(struct walk *w, uint64_t number, int depth)
{
	const unsigned char *page = visit(w->pages, number), *header, *end;
	size_t count, pointers;
	bool interior;

	if (!page || depth > DEPTH_MAX)
		return false;
	end = page + w->pages->usable;
	header = page + (number == 1 ? SQLITE_HEADER : 0);
	interior = *header == INDEX_INTERIOR || *header == TABLE_INTERIOR;
	if (!interior && *header != INDEX_LEAF && *header != TABLE_LEAF)
		return false;
	count = u16(header + 3);
	pointers = interior ? INTERIOR_HEADER : LEAF_HEADER;
	if (2 * count > (size_t)(end - header) - pointers)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t cell = u16(header + pointers + 2 * i);

		if (cell >= w->pages->usable || !walk_cell(w, page + cell, end, *header, depth))
			return false;
	}
	return !interior || walk_page(w, u32(header + 8), depth + 1);
}

bool sqlite_pages_walk(struct sqlite_pages *pages, uint64_t root, sqlite_row_fn row, void *cookie)
{
	struct walk w = {.pages = pages, .row = row, .cookie = cookie};
	bool ok = walk_page(&w, root, 0);

	buf_release(&w.payload);
	return ok;
}
