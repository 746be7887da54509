/* SPDX-License-Identifier: Apache-2.0
 * A project's page: its form, its links, its JSON. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "source/python_page.h"

void python_page_release(struct python_page *page)
{
	size_t i;

	for (i = 0; i < page->count; i++) {
		free(page->files[i].name);
		free(page->files[i].url);
		free(page->files[i].yanked);
	}
	free(page->files);
	*page = (struct python_page){0};
}

const struct python_file *python_page_find(const struct python_page *page, const char *name)
{
	size_t i;

	for (i = 0; i < page->count; i++)
		if (strcmp(page->files[i].name, name) == 0)
			return &page->files[i];
	return NULL;
}

/* --- links -------------------------------------------------------------------------------------
 */

/* Length of "scheme://host". */
static size_t origin_len(const char *url)
{
	const char *host = strstr(url, "://");

	return host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : 0;
}

/* "a/b/../c" -> "a/c"; what would leave the top stays at it. Caller frees. */
static char *without_dots(const char *path)
{
	CLEANUP(strv_release) struct strv parts = STRV_INIT;
	CLEANUP(free_ptr) char *copy = xstrdup(path);
	char *rest = copy, *part;

	while ((part = strsep(&rest, "/"))) {
		if (strcmp(part, "..") == 0 && parts.count > 0) {
			free(parts.items[--parts.count]);
			parts.items[parts.count] = NULL;
		} else if (strcmp(part, "..") != 0 && strcmp(part, ".") != 0) {
			strv_add(&parts, part);
		}
	}
	return parts.count > 0 ? strv_join(&parts, "/") : xstrdup("");
}

char *python_link(const char *page, const char *link)
{
	CLEANUP(free_ptr) char *target = xstrndup(link, strcspn(link, "#"));
	CLEANUP(free_ptr) char *path = NULL;
	CLEANUP(free_ptr) char *clean = NULL;
	size_t origin = origin_len(page);
	const char *slash;

	if (strstr(target, "://"))
		return steal_ptr(&target);
	if (str_starts(target, "//"))
		return xasprintf("%.*s%s", (int)strcspn(page, "/"), page, target);
	slash = strrchr(page + origin, '/');
	if (*target == '/')
		path = xstrdup(target + 1);
	else
		path = xasprintf("%.*s/%s", slash ? (int)(slash - page - (long)origin) : 0,
				 page + origin, target);
	clean = without_dots(path + (*path == '/'));
	return xasprintf("%.*s/%s", (int)origin, page, clean);
}

/* --- files -------------------------------------------------------------------------------------
 */

/* "2025-11-12T18:45:11.183418Z"; 0 for anything else: the date is only told. */
static int64_t parse_time(const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t t = end ? timegm(&tm) : 0;

	return t > 0 ? t : 0;
}

int python_page_add(struct python_page *page, struct python_file *take_file, const char *what,
		    struct varve_error *err)
{
	const char *name = take_file->name;

	page->files = array_grow(page->files, page->count, &page->alloc, sizeof(*page->files));
	page->files[page->count++] = *take_file;
	if (page->count > PYTHON_PAGE_FILES)
		return varve_error_set(err, -VARVE_E_LIMIT, "%s: lists too many files", what);
	if (!path_is_clean(name) || strchr(name, '/') || name[strcspn(name, "\n\r\t ")])
		return varve_error_set(err, -VARVE_E_FORMAT, "%s: \"%.100s\" is no name of a file",
				       what, name);
	return 0;
}

static char *yanked_reason(const json_t *value)
{
	if (json_is_string(value))
		return xstrdup(json_string_value(value));
	return json_is_true(value) ? xstrdup("") : NULL;
}

static int parse_file(const json_t *object, const char *page, const char *what,
		      struct python_page *ret, struct varve_error *err)
{
	const char *name = "", *url = "", *sha256;
	json_t *size = json_object_get(object, "size");
	struct python_file file = {0};
	int r;

	r = json_get_string(object, "filename", &name, err);
	if (r == 0)
		r = json_get_string(object, "url", &url, err);
	if (r < 0) {
		varve_error_prefix(err, "%s", what);
		return r;
	}
	sha256 = json_optional_string(json_object_get(object, "hashes"), "sha256", NULL);
	file.has_sha256 = sha256 && varve_digest_parse_hex(sha256, &file.sha256) == 0;
	if (json_is_integer(size) && json_integer_value(size) > 0)
		file.size = (uint64_t)json_integer_value(size);
	file.date = parse_time(json_optional_string(object, "upload-time", ""));
	file.yanked = yanked_reason(json_object_get(object, "yanked"));
	file.name = xstrdup(name);
	file.url = python_link(page, url);
	return python_page_add(ret, &file, what, err);
}

/* A portal, an error page. */
static int no_index(const char *what, struct varve_error *err)
{
	varve_error_set(err, -VARVE_E_NETWORK,
			"%s: the answer is no page of a package index, neither its JSON form (PEP "
			"691) nor its HTML form (PEP 503)",
			what);
	varve_error_hint(err, "is that the URL of an index? It usually ends in /simple; varve(1), "
			      "MIRRORS, says how to set another");
	return -VARVE_E_NETWORK;
}

static int parse_json(const char *text, size_t len, const char *url, const char *what,
		      struct python_page *page, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *document = NULL;
	json_t *files;
	size_t i;
	int r = json_parse(text, len, what, &document, err);

	if (r == 0) {
		r = json_get_array(document, "files", &files, err);
		if (r < 0)
			varve_error_prefix(err, "%s", what);
	}
	for (i = 0; r == 0 && i < json_array_size(files); i++)
		r = parse_file(json_array_get(files, i), url, what, page, err);
	return r;
}

int python_page_parse(const char *text, size_t len, const char *url, const char *what,
		      struct python_page *ret, struct varve_error *err)
{
	CLEANUP(python_page_release) struct python_page page = {.found = true};
	char first = text[strspn(text, " \t\r\n")];
	int r;

	if (first == '{')
		r = parse_json(text, len, url, what, &page, err);
	else if (first == '<')
		r = python_html_parse(text, len, url, what, &page, err);
	else
		return no_index(what, err);
	if (r < 0)
		return r;
	if (first == '<' && r == 0)
		return no_index(what, err);
	*ret = page;
	page = (struct python_page){0};
	return 0;
}
