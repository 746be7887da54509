/* SPDX-License-Identifier: Apache-2.0
 * What the two forms of a project's page share. */
#ifndef SOURCE_PYTHON_PAGE_H
#define SOURCE_PYTHON_PAGE_H

#include "source/python_index.h"

enum { PYTHON_PAGE_FILES = 200000 };

/* A link of the page at url -> an absolute URL without fragment. Caller frees. */
char *python_link(const char *url, const char *link);
/* Takes what *file owns, also on failure. A name that is none is -VARVE_E_FORMAT. */
int python_page_add(struct python_page *page, struct python_file *take_file, const char *what,
		    struct varve_error *err);

/* The HTML form (PEP 503, 592): an anchor per file, its sha256 in the fragment. Returns 1,
 * or 0 for a page without any file, for nothing tells it from a page that is no index's. Pure. */
int python_html_parse(const char *text, size_t len, const char *url, const char *what,
		      struct python_page *page, struct varve_error *err);

#endif
