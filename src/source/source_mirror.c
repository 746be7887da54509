/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source_mirror.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "source/deb_archive.h"
#include "source/source_kind.h"

enum { APT_FILE = 1 << 20 };

void apt_archives_release(struct apt_archives *archives)
{
	size_t i;

	for (i = 0; i < archives->count; i++) {
		free(archives->items[i].uri);
		strv_release(&archives->items[i].suites);
	}
	free(archives->items);
	*archives = (struct apt_archives){0};
}

static void split_words(const char *text, struct strv *ret)
{
	const char *at = text;

	while (*(at += strspn(at, " \t\n"))) {
		size_t len = strcspn(at, " \t\n");

		strv_take(ret, xstrndup(at, len));
		at += len;
	}
}

/* Only what a client can fetch from; without the slash at the end. */
static void add_archive(struct apt_archives *ret, const char *uri, const struct strv *suites)
{
	size_t len = strlen(uri);
	struct apt_archive *archive;

	if (!str_starts(uri, "http://") && !str_starts(uri, "https://") &&
	    !str_starts(uri, "file:"))
		return;
	ret->items = array_grow(ret->items, ret->count, &ret->alloc, sizeof(*ret->items));
	archive = &ret->items[ret->count++];
	while (len > 0 && uri[len - 1] == '/')
		len--;
	if (str_starts(uri, "file:") && !str_starts(uri, "file://"))
		archive->uri = xasprintf("file://%.*s", (int)(len - 5), uri + 5);
	else
		archive->uri = xstrndup(uri, len);
	strv_extend(&archive->suites, suites);
}

/* deb [options] URI SUITE COMPONENT... */
static void parse_line(char *line, struct apt_archives *ret)
{
	CLEANUP(strv_release) struct strv words = STRV_INIT;
	CLEANUP(strv_release) struct strv suite = STRV_INIT;
	char *open, *close;

	line[strcspn(line, "#")] = '\0';
	open = strchr(line, '[');
	close = strchr(line, ']');
	if (open && close && open < close)
		memset(open, ' ', (size_t)(close - open) + 1);
	split_words(line, &words);
	if (words.count < 3 || strcmp(words.items[0], "deb") != 0)
		return;
	strv_add(&suite, words.items[2]);
	add_archive(ret, words.items[1], &suite);
}

void apt_parse_list(const char *text, struct apt_archives *ret)
{
	CLEANUP(free_ptr) char *copy = xstrdup(text);
	char *rest = copy, *line;

	while ((line = strsep(&rest, "\n")))
		parse_line(line, ret);
}

/* What apt takes for a no. */
static bool is_no(const char *text)
{
	static const char *const words[] = {"no", "false", "without", "off", "disable", "0"};
	size_t len = strcspn(text, " \t");

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) == len && strncasecmp(text, words[i], len) == 0)
			return true;
	return false;
}

static void parse_stanza(const char *stanza, struct apt_archives *ret)
{
	CLEANUP(buf_release) struct buf types = BUF_INIT;
	CLEANUP(buf_release) struct buf uris = BUF_INIT;
	CLEANUP(buf_release) struct buf suites = BUF_INIT;
	CLEANUP(buf_release) struct buf enabled = BUF_INIT;
	CLEANUP(strv_release) struct strv kinds = STRV_INIT;
	CLEANUP(strv_release) struct strv places = STRV_INIT;
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	size_t i;

	(void)deb_stanza_field(stanza, "Types", &types);
	(void)deb_stanza_field(stanza, "URIs", &uris);
	(void)deb_stanza_field(stanza, "Suites", &suites);
	(void)deb_stanza_field(stanza, "Enabled", &enabled);
	split_words(buf_text(&types), &kinds);
	split_words(buf_text(&uris), &places);
	split_words(buf_text(&suites), &names);
	if (!strv_contains(&kinds, "deb") || is_no(buf_text(&enabled)))
		return;
	for (i = 0; i < places.count; i++)
		add_archive(ret, places.items[i], &names);
}

/* Comment lines may stand inside a field; they are taken out first. */
void apt_parse_deb822(const char *text, struct apt_archives *ret)
{
	CLEANUP(buf_release) struct buf stanza = BUF_INIT;
	CLEANUP(free_ptr) char *copy = xstrdup(text);
	char *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		if (*line == '#')
			continue;
		if (line[strspn(line, " \t")] == '\0') {
			parse_stanza(buf_text(&stanza), ret);
			buf_reset(&stanza);
		} else {
			buf_addf(&stanza, "%s\n", line);
		}
	}
	parse_stanza(buf_text(&stanza), ret);
}

static void read_file(const char *path, struct apt_archives *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (fd_read_file(AT_FDCWD, path, APT_FILE, &text, NULL) < 0)
		return;
	(str_ends(path, ".sources") ? apt_parse_deb822 : apt_parse_list)(buf_text(&text), ret);
}

static int is_sources_file(const struct dirent *entry)
{
	return str_ends(entry->d_name, ".list") || str_ends(entry->d_name, ".sources");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

void apt_sources_read(const char *directory, struct apt_archives *ret)
{
	CLEANUP(free_ptr) char *main_file = path_join(directory, "sources.list");
	CLEANUP(free_ptr) char *parts = path_join(directory, "sources.list.d");
	struct dirent **names = NULL;
	int count, i;

	read_file(main_file, ret);
	count = scandir(parts, &names, is_sources_file, by_name);
	for (i = 0; i < count; i++) {
		CLEANUP(free_ptr) char *path = path_join(parts, names[i]->d_name);

		read_file(path, ret);
		free(names[i]);
	}
	free(names);
}

const char *apt_choose(const struct apt_archives *archives, const char *name, const char *suite)
{
	CLEANUP(free_ptr) char *tail = xasprintf("/%s", name);
	const char *second = NULL;
	size_t i;

	for (i = 0; i < archives->count; i++) {
		const struct apt_archive *archive = &archives->items[i];

		if (!str_ends(archive->uri, tail))
			continue;
		if (strv_contains(&archive->suites, suite))
			return archive->uri;
		if (!second)
			second = archive->uri;
	}
	/* A mirror under another path still has the suite. */
	for (i = 0; i < archives->count && !second; i++)
		if (strv_contains(&archives->items[i].suites, suite))
			second = archives->items[i].uri;
	return second;
}

/* The last setting of a name wins. */
const char *source_setting(const struct source_context *context, const char *name)
{
	const struct strv *mirrors = context->mirrors;
	size_t len = strlen(name), i;

	for (i = mirrors ? mirrors->count : 0; i-- > 0;)
		if (strncmp(mirrors->items[i], name, len) == 0 && mirrors->items[i][len] == '=')
			return mirrors->items[i] + len + 1;
	return NULL;
}

static char *without_slash(const char *url)
{
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	return xstrndup(url, len);
}

int source_mirror(const struct source_context *context, const char *name, const char *suite,
		  char **ret_url, struct varve_error *err)
{
	CLEANUP(apt_archives_release) struct apt_archives archives = {0};
	const char *url = source_setting(context, name);

	if (!url) {
		apt_sources_read("/etc/apt", &archives);
		url = apt_choose(&archives, name, suite);
	}
	if (!url) {
		varve_error_set(err, -VARVE_E_HOST,
				"this machine does not say where mirror \"%s\" lies", name);
		varve_error_hint(
			err,
			"set it: --mirror %s=URL, or in the configuration file (varve(1), MIRRORS)",
			name);
		return -VARVE_E_HOST;
	}
	*ret_url = without_slash(url);
	return 0;
}

int source_archive_url(const struct source_context *context, const json_t *spec, const char *mirror,
		       const char *suite, char **ret_url, struct varve_error *err)
{
	CLEANUP(free_ptr) char *snapshots = xasprintf("%s-snapshot", mirror);
	const char *snapshot = json_optional_string(spec, "snapshot", "");
	const char *url = *snapshot ? source_setting(context, snapshots) : NULL;
	CLEANUP(free_ptr) char *base = NULL;

	if (!url)
		return source_mirror(context, mirror, suite, ret_url, err);
	base = without_slash(url);
	*ret_url = xasprintf("%s/%s", base, snapshot);
	return 0;
}
