/* SPDX-License-Identifier: Apache-2.0
 * The b-trees of an SQLite database, cell by cell. Pure; no offset is trusted, and no page is
 * visited twice in the life of a struct sqlite_pages, so hostile files end.
 *
 *	page  = [ header of the file, page 1 only ] type .. cells .. right .. { pointer } .. { cell
 *} cell  = [ child page ] [ length ] [ row number ] [ payload [ overflow page ] ]	by type */
#ifndef AUDIT_SQLITE_PAGES_H
#define AUDIT_SQLITE_PAGES_H

#include <stdint.h>
#include "audit/findings.h"

enum { SQLITE_HEADER = 100 };

struct sqlite_pages {
	const struct content *content; /* borrowed */
	size_t page_size, usable; /* bytes */
	size_t count; /* pages */
	unsigned char *visited; /* one byte per page; owned */
};

/* One row, or one key of an index (row is 0 then). False stops the walk. */
typedef bool (*sqlite_row_fn)(void *cookie, uint64_t row, const struct buf *payload);

bool sqlite_pages_init(const struct content *c, struct sqlite_pages *ret);
void sqlite_pages_release(struct sqlite_pages *pages); /* usable with CLEANUP */
/* The tree at page root (from 1), in its order. False: malformed, or stopped. */
bool sqlite_pages_walk(struct sqlite_pages *pages, uint64_t root, sqlite_row_fn row, void *cookie);
/* A number of 1 to 9 bytes at *at, which goes on; false at the end. */
bool sqlite_varint(const unsigned char **at, const unsigned char *end, uint64_t *ret);

#endif
