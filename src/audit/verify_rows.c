/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/image_verify.h"

#include <stdlib.h>
#include "base/buf.h"
#include "base/cleanup.h"

void verify_rows_init(struct verify_rows *rows)
{
	*rows = (struct verify_rows){.list = json_array()};
}

void verify_rows_release(struct verify_rows *rows)
{
	json_decref(rows->list);
	free(rows->context);
	*rows = (struct verify_rows){0};
}

void verify_rows_add(struct verify_rows *rows, const char *what, const char *why)
{
	CLEANUP(free_ptr)
	char *whole = rows->context ? xasprintf("%s: %s", rows->context, what) : xstrdup(what);
	json_t *row = json_object();

	json_set(row, "what", json_text(whole));
	json_set(row, "failure", why ? json_text(why) : json_null());
	json_append(rows->list, row);
	rows->failed = rows->failed || why;
}

static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			buf_addf(out, "\\x%02x", (unsigned char)*text);
		else
			buf_add(out, text, 1);
}

void verify_rows_print(const struct verify_rows *rows, struct buf *out)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows->list, i, row)
	{
		const char *why = json_string_value(json_object_get(row, "failure"));

		buf_addf(out, "%-7s ", why ? "FAILED" : "ok");
		add_escaped(out, json_string_value(json_object_get(row, "what")));
		if (why) {
			buf_addf(out, ": ");
			add_escaped(out, why);
		}
		buf_addf(out, "\n");
	}
}

void verify_rows_print_json(const struct verify_rows *rows, struct buf *out)
{
	json_t *all = json_object();

	json_set(all, "checks", json_incref(rows->list));
	json_set(all, "ok", json_boolean(!rows->failed));
	json_canonical(all, out);
	buf_addf(out, "\n");
	json_decref(all);
}
