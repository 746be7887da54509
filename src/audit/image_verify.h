/* SPDX-License-Identifier: Apache-2.0
 * Proving one image: documents, blobs, diff ids, and the names in its layers.
 *
 *	place + descriptor -> image_verify -> rows */
#ifndef AUDIT_IMAGE_VERIFY_H
#define AUDIT_IMAGE_VERIFY_H

#include <stdbool.h>
#include "audit/image_diff.h"

/* What was checked, in order. */
struct verify_rows {
	json_t *list; /* array of {"failure": WHY or null, "what": WHAT}; owned */
	bool failed; /* any row did */
};

void verify_rows_init(struct verify_rows *rows);
void verify_rows_release(struct verify_rows *rows); /* usable with CLEANUP */
/* why: NULL where it is in order. */
void verify_rows_add(struct verify_rows *rows, const char *what, const char *why);
/* One line each; control characters are escaped. */
void verify_rows_print(const struct verify_rows *rows, struct buf *out);
void verify_rows_print_json(const struct verify_rows *rows, struct buf *out);

/* Adds a row for each check, also after failures. */
void image_verify(const struct image_side *side, struct verify_rows *rows);

#endif
