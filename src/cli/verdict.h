/* SPDX-License-Identifier: Apache-2.0
 * What `varve validate` says: a row per check, as text while they run or as JSON at the end. */
#ifndef CLI_VERDICT_H
#define CLI_VERDICT_H

#include "base/buf.h"
#include "base/json.h"

enum verdict { VERDICT_OK, VERDICT_FAILED, VERDICT_SKIPPED };

struct verdict_row {
	const char *image, *check;
	enum verdict verdict;
	int status; /* exit status of the check; of a skipped one unused */
	const char *output; /* what the check printed; of a skipped one the reason */
};

struct verdicts {
	json_t *rows; /* NULL: text */
	unsigned counts[VERDICT_SKIPPED + 1];
};

/* Counts the row, and prints it or keeps it. */
void verdict_add(struct verdicts *verdicts, const struct verdict_row *row);
/* "7 passed, 1 failed, 3 skipped", without what there is none of. */
void verdict_summary(const struct verdicts *verdicts, struct buf *out);
/* The last lines of a text that are not empty, each behind the indent. Pure. */
void verdict_tail(const char *text, const char *indent, struct buf *out);

#endif
