/* SPDX-License-Identifier: Apache-2.0
 * What a layer's tar holds, entry by entry: all that a comparison asks, without the data.
 *
 *	blob -> layer_files_read -> struct layer_files <-> text (facts/layer-files/HEX) */
#ifndef AUDIT_LAYER_FILES_H
#define AUDIT_LAYER_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/descriptor.h>
#include <varve/error.h>

struct buf;

enum { LAYER_FILE_HEAD = 16 }; /* bytes: every magic number we know */

struct layer_file {
	char *path; /* clean; as written where that is impossible (".."); owned */
	char *link; /* target, "" where there is none; owned */
	char type; /* enum tar_type */
	bool text; /* a file without NUL bytes */
	unsigned mode; /* permission bits */
	uint64_t uid, gid, size, major, minor;
	int64_t mtime; /* seconds */
	long nanoseconds;
	uint64_t order; /* place in the tar, from 0 */
	struct varve_digest content; /* of a file's data */
	char *xattrs; /* extended attributes (xattrs_text.h), "" where there are none; owned */
	bool capable; /* for verify: has file capabilities; not in the text */
	const char *oddity; /* for verify: what makes readers disagree; NULL: nothing; not in the
			     * text */
	unsigned char head[LAYER_FILE_HEAD]; /* the first bytes; zeros where there are fewer */
};

struct layer_files {
	struct layer_file *items; /* by path, then by order */
	size_t count, alloc;
	struct varve_digest diff_id; /* of the tar that was read */
	bool trailer; /* for verify: something followed the tar's end; not in the text */
};

/* Reads the blob (open as fd) to its end; digest and size are verified. -VARVE_E_DIGEST,
 * -VARVE_E_FORMAT, -VARVE_E_LIMIT. */
int layer_files_read(int fd, const struct varve_descriptor *blob, struct layer_files *ret,
		     struct varve_error *err);
/* The first entry of this path; NULL: none. */
const struct layer_file *layer_files_find(const struct layer_files *files, const char *path);
void layer_files_release(struct layer_files *files); /* usable with CLEANUP */

/* The text of an index:
 *	index  = "varve-layer-files 3 " hex " " count "\n" { record }
 *	record = type text mode uid gid size major minor mtime nanoseconds order
 *		 content head NUL path NUL link NUL xattrs NUL	; separated by single spaces
 * Numbers are decimal, the mode octal; all without leading zeros. Parsing takes what formatting
 * wrote, and nothing else: -VARVE_E_FORMAT without a text. The text must end in a NUL behind its
 * length, as that of a struct buf. */
void layer_files_format(const struct layer_files *files, struct buf *out);
int layer_files_parse(const char *text, size_t len, struct layer_files *ret);

#endif
