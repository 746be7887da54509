/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report_page.h"

#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/written_file.h"

static const char *const lines[] = {
#include "cli/report.html.inc"
};
static const char mark[] = "@DOCUMENT@\n";

void report_page_init(struct report_page *page, const char *title, const char *subtitle)
{
	page->document = json_object();
	json_set(page->document, "title", json_text(title));
	json_set(page->document, "subtitle", json_text(subtitle));
}

void report_page_release(struct report_page *page)
{
	json_decref(page->document);
	page->document = NULL;
}

void report_page_set(struct report_page *page, const char *section, json_t *take_value)
{
	json_set(page->document, section, take_value);
}

/* No "<" in it: nothing can end the script that the document lies in. */
static void add_document(const json_t *document, struct buf *out)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const char *at, *next;

	json_canonical(document, &text);
	for (at = buf_text(&text); (next = strchr(at, '<')); at = next + 1) {
		buf_add(out, at, (size_t)(next - at));
		buf_addstr(out, "\\u003c");
	}
	buf_addstr(out, at);
	buf_addc(out, '\n');
}

void report_page_row(json_t *rows, const char *group, const char *name, const char *value)
{
	json_t *row = json_object();

	json_set(row, "group", json_text(group));
	json_set(row, "name", json_text(name));
	json_set(row, "value", json_text(value));
	json_append(rows, row);
}

void report_page_format(const struct report_page *page, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (strcmp(lines[i], mark) == 0)
			add_document(page->document, out);
		else
			buf_addstr(out, lines[i]);
}

int report_page_write(const struct report_page *page, const char *path, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	report_page_format(page, &text);
	return written_file(path, &text, err);
}
