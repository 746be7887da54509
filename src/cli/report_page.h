/* SPDX-License-Identifier: Apache-2.0
 * A report: one HTML page that needs nothing else, shown by any browser. What it tells travels as
 *one JSON document inside of it, which the page's own script turns into text nodes, never into
 *markup: no name in an image can be code.
 *
 *	document = { "title": text, "subtitle": text, section: ... }
 *
 *	"failure"      text: why the command failed
 *	"steps"        [{"name","state","action","why","start","layer","end","size"}]: the time
 *line; state: "cached", "ran", "failed"; times in ms since the beginning "fetches"
 *[{"name","start","end","size"}] "notices"      [text] "images"
 *[{"name","digest","layers":[...],"packages":[...]}]: report_image "differences"  [object]: as
 *struct differences has them; members become columns "provenance"   [{"group","name","value"}]
 *
 * Sections that are not there are not shown; an empty list of differences is, as such. */
#ifndef CLI_REPORT_PAGE_H
#define CLI_REPORT_PAGE_H

#include "base/json.h"

struct buf;

struct report_page {
	json_t *document; /* owned */
};

void report_page_init(struct report_page *page, const char *title, const char *subtitle);
void report_page_release(struct report_page *page); /* usable with CLEANUP */
void report_page_set(struct report_page *page, const char *section, json_t *take_value);
/* One of the section "provenance". */
void report_page_row(json_t *rows, const char *group, const char *name, const char *value);
void report_page_format(const struct report_page *page, struct buf *out);
int report_page_write(const struct report_page *page, const char *path, struct varve_error *err);

/* One image's part: layers with what is left of them in the image, as trees of directories and of
 * packages. Small things are put together. */
struct sbom;
json_t *report_image(const struct sbom *sbom);

#endif
