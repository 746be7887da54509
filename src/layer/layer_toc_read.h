/* SPDX-License-Identifier: Apache-2.0
 * Reading the table of a blob of zstd:chunked again (layer_toc.h), as far as frames go: in the form
 * that layer_toc writes, which is a small part of JSON. Nothing is trusted, what has another form
 * is malformed. A table has hundreds of bytes for each file, so a tree of values is not made. */
#ifndef LAYER_LAYER_TOC_READ_H
#define LAYER_LAYER_TOC_READ_H

#include <stdbool.h>
#include <stdint.h>
#include <varve/digest.h>

enum toc_member {
	TOC_TYPE,
	TOC_DIGEST,
	TOC_CHUNK_DIGEST,
	TOC_OFFSET,
	TOC_END_OFFSET,
	TOC_SIZE,
	TOC_CHUNK_SIZE,
	TOC_MEMBERS
};

/* An entry. Members that are not there are 0, OTHER or none. */
struct toc_row {
	unsigned has; /* bits 1 << enum toc_member */
	enum { TOC_ROW_OTHER, TOC_ROW_FILE, TOC_ROW_CHUNK } type;
	struct varve_digest digest, chunk_digest;
	uint64_t offset, end_offset, size, chunk_size;
};

/* The text at *at, which ends before end. */
bool toc_read_start(const char **at, const char *end);
/* The next entry. Returns 1; 0: the end of the entries; -1: malformed. *at goes on. */
int toc_read_row(const char **at, const char *end, struct toc_row *ret);

#endif
