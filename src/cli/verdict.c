/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verdict.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

enum { VERDICT_LINES = 12 }; /* of a failed check: a traceback's end with its cause */

static const char *const words[] = {"ok", "FAILED", "skipped"};
static const char *const json_words[] = {"ok", "failed", "skipped"};

void verdict_tail(const char *text, const char *indent, struct buf *out)
{
	size_t len = strlen(text), start, lines = 0;

	while (len > 0 && strchr("\n ", text[len - 1]))
		len--;
	for (start = len; start > 0; start--)
		if (text[start - 1] == '\n' && ++lines == VERDICT_LINES)
			break;
	while (start < len) {
		size_t end = start + strcspn(text + start, "\n");

		end = end < len ? end : len;
		buf_addf(out, "%s%.*s\n", indent, (int)(end - start), text + start);
		start = end + 1;
	}
}

static void print_row(const struct verdict_row *row)
{
	CLEANUP(buf_release) struct buf tail = BUF_INIT;

	if (row->verdict == VERDICT_SKIPPED) {
		printf("%-7s  %s  %s: %s\n", words[row->verdict], row->image, row->check,
		       row->output);
	} else {
		printf("%-7s  %s  %s\n", words[row->verdict], row->image, row->check);
		if (row->verdict == VERDICT_FAILED)
			verdict_tail(row->output, "         ", &tail);
	}
	fputs(buf_text(&tail), stdout);
	fflush(stdout);
}

static json_t *row_to_json(const struct verdict_row *row)
{
	json_t *object = json_object();

	json_set(object, "image", json_text(row->image));
	json_set(object, "check", json_text(row->check));
	json_set(object, "verdict", json_text(json_words[row->verdict]));
	if (row->verdict == VERDICT_SKIPPED) {
		json_set(object, "why", json_text(row->output));
		return object;
	}
	json_set(object, "status", json_integer(row->status));
	json_set(object, "output", json_text(row->output));
	return object;
}

void verdict_add(struct verdicts *verdicts, const struct verdict_row *row)
{
	verdicts->counts[row->verdict]++;
	if (verdicts->rows)
		json_append(verdicts->rows, row_to_json(row));
	else
		print_row(row);
}

void verdict_summary(const struct verdicts *verdicts, struct buf *out)
{
	static const char *const counted[] = {"passed", "failed", "skipped"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counted); i++)
		if (verdicts->counts[i] > 0)
			buf_addf(out, "%s%u %s", out->len > 0 ? ", " : "", verdicts->counts[i],
				 counted[i]);
}
