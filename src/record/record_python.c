/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record_python.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/python_index.h"
#include "source/python_name.h"

static bool has_page_type(const struct record_exchange *exchange)
{
	return str_starts(exchange->type, "application/vnd.pypi.simple");
}

/* ".../simple/PROJECT/" or what says itself that it is a page of an index. */
static bool is_page(const struct record_exchange *exchange, const char *project)
{
	CLEANUP(free_ptr) char *end = xasprintf("/%s/", project);

	return exchange->status == 200 && str_ends(exchange->url, end) &&
	       (strstr(exchange->url, "/simple/") || has_page_type(exchange));
}

static const struct record_exchange *find_page(const struct record_log *log, const char *project)
{
	CLEANUP(free_ptr) char *normal = python_project(project);
	size_t i;

	for (i = 0; i < log->count; i++)
		if (is_page(&log->items[i], normal))
			return &log->items[i];
	return NULL;
}

/* "x-1-cp312-cp312-linux_x86_64.whl" -> "3.12"; NULL: others may run it as well. Caller frees. */
static char *python_of_wheel(const char *file)
{
	static const char tag[] = "-cp3";
	const char *at = strstr(file, tag);
	const char *minor = at ? at + strlen(tag) : "";
	size_t digits = strspn(minor, "0123456789");
	CLEANUP(free_ptr) char *abi = xasprintf("-cp3%.*s-", (int)digits, minor);

	if (digits == 0 || digits > 2 || !str_starts(minor + digits, abi))
		return NULL;
	return xasprintf("3.%.*s", (int)digits, minor);
}

/* One version that all agree on. */
static void learn_python(struct record_proposal *ret, const char *version)
{
	if (!version || ret->pythons)
		return;
	if (!ret->python) {
		ret->python = xstrdup(version);
		return;
	}
	ret->pythons = strcmp(ret->python, version) != 0;
	if (ret->pythons) {
		free(ret->python);
		ret->python = NULL;
	}
}

/* The name of the index that the page is of, by the settings of the machine. NULL: it has none.
 * Caller frees. */
static char *index_of(const char *url, const struct strv *settings)
{
	size_t i;

	for (i = settings->count; i-- > 0;) {
		const char *place = strchr(settings->items[i], '=');
		size_t len = place ? strlen(++place) : 0;

		while (len > 0 && place[len - 1] == '/')
			len--;
		if (len > 0 && strncmp(url, place, len) == 0 && url[len] == '/')
			return xstrndup(settings->items[i],
					(size_t)(place - 1 - settings->items[i]));
	}
	return NULL;
}

static void learn_index(struct record_proposal *ret, const struct record_exchange *page,
			const struct strv *settings)
{
	CLEANUP(free_ptr) char *name = index_of(page->url, settings);

	if (!name)
		record_note(ret, page, settings,
			    "this machine has no name for the index: --mirror NAME=URL gives it "
			    "one, \"index\" of the python source uses it");
	else if (strcmp(name, PYTHON_MAIN_INDEX) != 0 && !strv_contains(&ret->indexes, name))
		strv_add(&ret->indexes, name);
}

bool record_python(const struct record_log *log, const struct record_exchange *exchange,
		   const char *file, const struct strv *settings, struct record_proposal *ret)
{
	CLEANUP(free_ptr) char *project = NULL;
	CLEANUP(free_ptr) char *version = NULL;
	CLEANUP(free_ptr) char *wanted = NULL;
	CLEANUP(free_ptr) char *normal = NULL;
	CLEANUP(free_ptr) char *tagged = python_of_wheel(file);
	bool split = python_split(file, &project, &version);
	const struct record_exchange *page = split ? find_page(log, project) : NULL;
	struct strv *list = python_is_sdist(file) ? &ret->sdists : &ret->requirements;

	if (!page)
		return has_page_type(exchange) || strstr(exchange->url, "/simple/") ||
		       str_ends(file, ".whl.metadata");
	normal = python_project(project);
	wanted = xasprintf("%s==%s", normal, version);
	if (!strv_contains(list, wanted))
		strv_add(list, wanted);
	learn_python(ret, exchange->python ? exchange->python : tagged);
	learn_index(ret, page, settings);
	return true;
}
