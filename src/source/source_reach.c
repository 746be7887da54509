/* SPDX-License-Identifier: Apache-2.0
 * Whether the machine's mirrors answer. */
#include "source/source_reach.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "net/http.h"
#include "net/http_url.h"
#include "source/source_mirror.h"

enum { RELEASE_LIMIT = 8 << 20, REACH_SECONDS = 8 };

void source_reaches_release(struct source_reaches *reaches)
{
	size_t i;

	for (i = 0; i < reaches->count; i++) {
		free(reaches->items[i].name);
		free(reaches->items[i].url);
		free(reaches->items[i].shown);
	}
	free(reaches->items);
	*reaches = (struct source_reaches){0};
}

/* The same place is asked once, whoever names it. */
static void add(struct source_reaches *ret, const char *name, char *take_url)
{
	size_t i;

	for (i = 0; i < ret->count; i++)
		if (str_equal(ret->items[i].url, take_url)) {
			free(take_url);
			return;
		}
	ret->items = array_grow(ret->items, ret->count, &ret->alloc, sizeof(*ret->items));
	ret->items[ret->count++] = (struct source_reach){
		.name = xstrdup(name), .url = take_url, .shown = http_url_display(take_url)};
}

static char *release_url(const char *base, const char *suite)
{
	size_t len = strlen(base);

	while (len > 0 && base[len - 1] == '/')
		len--;
	/* "./" and the like: a flat archive */
	if (str_ends(suite, "/"))
		return xasprintf("%.*s/%sInRelease", (int)len, base, suite);
	return xasprintf("%.*s/dists/%s/InRelease", (int)len, base, suite);
}

/* A suite that apt uses of the archive of this name; else one that every Debian mirror has. */
static char *suite_of(const struct apt_archives *archives, const char *name)
{
	const char *otherwise = str_ends(name, "-security") ? "stable-security" : "stable";
	const char *uri = apt_choose(archives, name, "");
	size_t i;

	for (i = 0; uri && i < archives->count; i++)
		if (str_equal(archives->items[i].uri, uri) && archives->items[i].suites.count > 0)
			return xstrdup(archives->items[i].suites.items[0]);
	return xstrdup(otherwise);
}

/* A later setting of a name hides an earlier one. */
static bool is_hidden(const struct strv *mirrors, size_t index)
{
	size_t len = strcspn(mirrors->items[index], "="), i;

	for (i = index + 1; i < mirrors->count; i++)
		if (strncmp(mirrors->items[i], mirrors->items[index], len + 1) == 0)
			return true;
	return false;
}

void source_reaches_list(const struct strv *mirrors, const struct apt_archives *archives,
			 struct source_reaches *ret)
{
	size_t i, j;

	for (i = 0; i < mirrors->count; i++) {
		size_t len = strcspn(mirrors->items[i], "=");
		CLEANUP(free_ptr) char *name = xstrndup(mirrors->items[i], len);
		CLEANUP(free_ptr) char *suite = suite_of(archives, name);

		if (mirrors->items[i][len] != '=' || is_hidden(mirrors, i))
			continue;
		if (str_starts(name, "debian") && !str_ends(name, "-snapshot"))
			add(ret, name, release_url(mirrors->items[i] + len + 1, suite));
		else
			add(ret, name, xstrdup(mirrors->items[i] + len + 1));
	}
	for (i = 0; i < archives->count; i++)
		for (j = 0; j < archives->items[i].suites.count; j++)
			add(ret, "apt",
			    release_url(archives->items[i].uri,
					archives->items[i].suites.items[j]));
}

static void judge(struct source_reach *reach, const struct http_transfer *t)
{
	const char *end = strchr(t->error.text, '\n');

	reach->status = t->status;
	/* A place of a kind that we do not know may well have nothing at its top. */
	reach->answers = t->result == 0 ||
			 (t->status > 0 && t->status < 500 && !str_ends(reach->url, "/InRelease"));
	if (!reach->answers)
		(void)snprintf(reach->why, sizeof(reach->why), "%.*s",
			       end ? (int)(end - t->error.text) : (int)sizeof(reach->why) - 1,
			       t->error.text);
}

int source_reaches_ask(struct source_reaches *reaches, struct varve_error *err)
{
	static const struct http_options options = {.stall_seconds = REACH_SECONDS, .tries = 1};
	CLEANUP(free_ptr)
	struct http_transfer *transfers = xcalloc(reaches->count + 1, sizeof(*transfers));
	CLEANUP(http_freep) struct http *http = NULL;
	size_t i;
	int r = http_new(&options, &http, err);

	if (r < 0)
		return r;
	for (i = 0; i < reaches->count; i++)
		transfers[i] = (struct http_transfer){.url = reaches->items[i].url,
						      .fd = memfd_create("reach", MFD_CLOEXEC),
						      .limit = RELEASE_LIMIT};
	(void)http_fetch(http, transfers, reaches->count, NULL, NULL, NULL);
	for (i = 0; i < reaches->count; i++) {
		judge(&reaches->items[i], &transfers[i]);
		fd_close(&transfers[i].fd);
	}
	return 0;
}
