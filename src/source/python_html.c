/* SPDX-License-Identifier: Apache-2.0
 * The HTML of a project's page (the only user of libxml2). Its parser tells of tags and builds
 * nothing: what a page can cost is its own size. */
#include <libxml/HTMLparser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/python_name.h"
#include "source/python_page.h"

struct reading {
	const char *what;
	char *base; /* where relative links start; owned */
	bool based; /* a <base> was seen: the first counts */
	bool any; /* something that only a package index says */
	struct python_page *page;
	int result; /* the first failure: the rest is passed over */
	struct varve_error *err;
};

/* atts: name, value (or NULL), ..., NULL. NULL: there is no such attribute; "" where it has no
 * value. Borrowed. */
static const char *attribute(const xmlChar **atts, const char *name)
{
	for (; atts && atts[0]; atts += 2)
		if (strcasecmp((const char *)atts[0], name) == 0)
			return atts[1] ? (const char *)atts[1] : "";
	return NULL;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

/* The last segment of a URL's path, "%2B" and the like undone. Caller frees. */
static char *file_name(const char *url)
{
	size_t len = strcspn(url, "?#");
	const char *start = url + len;
	CLEANUP(buf_release) struct buf name = BUF_INIT;

	while (start > url && start[-1] != '/')
		start--;
	for (len -= (size_t)(start - url); len > 0; start++, len--) {
		int high = len > 2 && *start == '%' ? hex_digit(start[1]) : -1;
		int low = high >= 0 ? hex_digit(start[2]) : -1;
		unsigned char c = (unsigned char)*start;

		if (low >= 0) {
			c = (unsigned char)(high * 16 + low);
			start += 2;
			len -= 2;
		}
		/* A name ends at a NUL: let it be none instead. */
		buf_add(&name, c ? (const void *)&c : "/", 1);
	}
	return buf_steal(&name);
}

/* "...#sha256=HEX", perhaps among others: "#egg=x&sha256=HEX". */
static void read_fragment(const char *href, struct python_file *file)
{
	static const char mark[] = "sha256=";
	const char *at = strchr(href, '#');
	char hex[VARVE_DIGEST_HEX] = "";

	for (; at; at = strchr(at, '&')) {
		at++;
		if (strncmp(at, mark, strlen(mark)) != 0)
			continue;
		(void)snprintf(hex, sizeof(hex), "%.64s", at + strlen(mark));
		file->has_sha256 = varve_digest_parse_hex(hex, &file->sha256) == 0;
		return;
	}
}

static bool is_distribution(const char *name)
{
	CLEANUP(free_ptr) char *project = NULL;
	CLEANUP(free_ptr) char *version = NULL;

	return python_split(name, &project, &version);
}

static void on_anchor(struct reading *r, const xmlChar **atts)
{
	const char *href = attribute(atts, "href"), *yanked = attribute(atts, "data-yanked");
	struct python_file file = {0};

	if (!href)
		return;
	file.url = python_link(r->base, href);
	file.name = file_name(file.url);
	/* Pages also link to signatures, home pages and old formats. */
	if (!is_distribution(file.name)) {
		free(file.url);
		free(file.name);
		return;
	}
	read_fragment(href, &file);
	file.yanked = yanked ? xstrdup(yanked) : NULL;
	r->any = true;
	r->result = python_page_add(r->page, &file, r->what, r->err);
}

static void on_tag(void *cookie, const xmlChar *tag, const xmlChar **atts)
{
	struct reading *r = cookie;
	const char *href;

	if (r->result < 0)
		return;
	if (strcasecmp((const char *)tag, "a") == 0) {
		on_anchor(r, atts);
	} else if (strcasecmp((const char *)tag, "base") == 0 && !r->based) {
		href = attribute(atts, "href");
		r->based = href != NULL;
		if (href) {
			char *base = python_link(r->base, href);

			free(r->base);
			r->base = base;
		}
	} else if (strcasecmp((const char *)tag, "meta") == 0) {
		const char *name = attribute(atts, "name");

		r->any = r->any || (name && strcmp(name, "pypi:repository-version") == 0);
	}
}

/* HTML of the world is never without a mistake; the parser repairs, and says so to nobody. */
static void on_mistake(void *cookie, const char *format, ...)
{
	(void)cookie;
	(void)format;
}

int python_html_parse(const char *text, size_t len, const char *url, const char *what,
		      struct python_page *page, struct varve_error *err)
{
	htmlSAXHandler handler = {
		.startElement = on_tag, .error = on_mistake, .warning = on_mistake};
	struct reading r = {.what = what, .base = xstrdup(url), .page = page, .err = err};
	htmlParserCtxtPtr parser =
		htmlCreatePushParserCtxt(&handler, &r, NULL, 0, NULL, XML_CHAR_ENCODING_UTF8);

	if (!parser || len > INT32_MAX) {
		r.result = varve_error_set(err, -VARVE_E_LIMIT, "%s: the page is too long", what);
	} else {
		(void)htmlCtxtUseOptions(parser, HTML_PARSE_NONET | HTML_PARSE_RECOVER |
							 HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING);
		(void)htmlParseChunk(parser, text, (int)len, 0);
		(void)htmlParseChunk(parser, NULL, 0, 1);
	}
	htmlFreeParserCtxt(parser);
	free(r.base);
	return r.result < 0 ? r.result : r.any;
}
