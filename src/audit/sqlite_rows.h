/* SPDX-License-Identifier: Apache-2.0
 * The rows of an SQLite database as digests, by table; read from its pages, without SQLite. Pure.
 */
#ifndef AUDIT_SQLITE_ROWS_H
#define AUDIT_SQLITE_ROWS_H

#include <stdint.h>
#include <varve/digest.h>
#include "audit/findings.h"

enum { SQLITE_TABLES_MAX = 4096 };

struct sqlite_table {
	char *name; /* of a table or index, unique; owned */
	char *sql; /* what made it; owned */
	uint64_t root; /* its first page; 0: it has no rows of its own, as a view */
	uint64_t count; /* rows */
	struct varve_digest rows; /* over row numbers and records, in the order of the tree */
};

struct sqlite_rows {
	struct sqlite_table *items; /* by name; owned */
	size_t count, alloc;
};

/* False: malformed, or more than we read. */
bool sqlite_rows_read(const struct content *c, struct sqlite_rows *ret);
void sqlite_rows_release(struct sqlite_rows *rows); /* usable with CLEANUP */

#endif
