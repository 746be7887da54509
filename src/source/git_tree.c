/* SPDX-License-Identifier: Apache-2.0 */
#include "source/git_tree.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/strv.h"
#include "source/git_command.h"

void git_links_release(struct git_links *links)
{
	for (size_t i = 0; i < links->count; i++) {
		free(links->items[i].path);
		free(links->items[i].url);
	}
	free(links->items);
	*links = (struct git_links){0};
}

/* --- submodules --------------------------------------------------------------------------------
 */

/* "MODE TYPE HEX\tPATH" */
static int read_row(const char *row, struct git_links *links, struct varve_error *err)
{
	static const char mark[] = "160000 commit ";
	const char *tab = strchr(row, '\t');
	CLEANUP(free_ptr) char *hex = NULL;
	struct git_link *link;

	if (!str_starts(row, mark))
		return 0;
	hex = tab ? xstrndup(row + strlen(mark), (size_t)(tab - row) - strlen(mark)) : NULL;
	if (!hex || !git_is_object(hex) || !path_is_clean(tab + 1))
		return varve_error_set(err, -VARVE_E_FORMAT, "\"%.100s\" is no submodule's row",
				       row);
	links->items = array_grow(links->items, links->count, &links->alloc, sizeof(*links->items));
	link = &links->items[links->count++];
	link->path = xstrdup(tab + 1);
	(void)snprintf(link->commit, sizeof(link->commit), "%s", hex);
	return 0;
}

int git_links_parse(const char *text, size_t len, struct git_links *ret, struct varve_error *err)
{
	int r = 0;

	for (size_t at = 0; at < len && r == 0; at += strlen(text + at) + 1)
		r = read_row(text + at, ret, err);
	return r;
}

/* "submodule.NAME.KEY\nVALUE": NAME and length, where KEY is the wanted one. */
static const char *name_of(const char *row, const char *key, size_t *ret_len)
{
	static const char start[] = "submodule.";
	size_t len = strcspn(row, "\n"), tail = strlen(key);

	if (!str_starts(row, start) || row[len] == '\0' || len < strlen(start) + tail + 1 ||
	    strncmp(row + len - tail, key, tail) != 0 || row[len - tail - 1] != '.')
		return NULL;
	*ret_len = len - strlen(start) - tail - 1;
	return row + strlen(start);
}

static const char *value_of(const char *text, size_t len, const char *name, size_t name_len,
			    const char *key)
{
	const char *found = NULL;
	size_t other_len;

	for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
		const char *other = name_of(text + at, key, &other_len);

		if (other && other_len == name_len && memcmp(other, name, name_len) == 0)
			found = text + at + strcspn(text + at, "\n") + 1;
	}
	return found;
}

void git_links_take_urls(const char *text, size_t len, struct git_links *links)
{
	for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
		size_t name_len;
		const char *name = name_of(text + at, "path", &name_len);
		const char *path = name ? text + at + strcspn(text + at, "\n") + 1 : NULL;
		const char *url = name ? value_of(text, len, name, name_len, "url") : NULL;

		for (size_t i = 0; url && i < links->count; i++) {
			if (!str_equal(links->items[i].path, path))
				continue;
			free(links->items[i].url);
			links->items[i].url = xstrdup(url);
		}
	}
}

int git_links_read(const struct git_repository *repository, struct git_links *ret,
		   struct varve_error *err)
{
	CLEANUP(free_ptr) char *blob = xasprintf("--blob=%s:.gitmodules", repository->commit);
	const char *const list[] = {"ls-tree", "-r", "-z", "--full-tree", repository->commit, NULL};
	const char *const config[] = {"config", "--no-includes", blob, "-z", "--list", NULL};
	CLEANUP(buf_release) struct buf rows = BUF_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = git_local(repository->path, list, -1, &rows, err);

	if (r == 0)
		r = git_links_parse(buf_text(&rows), rows.len, ret, err);
	/* Without a .gitmodules each submodule will be missed where it is needed. */
	if (r == 0 && ret->count > 0 && git_local(repository->path, config, -1, &text, NULL) == 0)
		git_links_take_urls(buf_text(&text), text.len, ret);
	return r;
}

/* --- subdirectory ------------------------------------------------------------------------------
 */

int git_check_subdirectory(const struct git_repository *repository, const char *subdirectory,
			   struct varve_error *err)
{
	const char *const list[] = {"ls-tree",          "-z",         "--full-tree", "--",
				    repository->commit, subdirectory, NULL};
	CLEANUP(buf_release) struct buf row = BUF_INIT;
	const char *what = "absent";
	int r;

	if (*subdirectory == '\0')
		return 0;
	r = git_local(repository->path, list, -1, &row, err);
	if (r < 0)
		return r;
	if (str_starts(buf_text(&row), "040000 "))
		return 0;
	if (str_starts(buf_text(&row), "120000 "))
		what = "a symbolic link, no directory";
	else if (str_starts(buf_text(&row), "160000 "))
		what = "a submodule: make it a source of its own";
	else if (row.len > 0)
		what = "a file, no directory";
	return varve_error_set(err, -VARVE_E_RESOLVE, "subdirectory \"%s\" in commit %s is %s",
			       subdirectory, repository->commit, what);
}

/* --- exclude -----------------------------------------------------------------------------------
 */

/* Any of the directories of a path, or the path itself. */
static bool matches_anywhere(const char *pattern, const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");
		CLEANUP(free_ptr) char *name = xstrndup(path, len);

		if (fnmatch(pattern, name, 0) == 0)
			return true;
		if (path[len] == '\0')
			return false;
		path += len + 1;
	}
}

bool git_is_excluded(const struct strv *patterns, const char *path)
{
	for (size_t i = 0; i < patterns->count; i++) {
		const char *pattern = patterns->items[i];

		if (strchr(pattern, '/')
			    ? fnmatch(pattern, path, FNM_PATHNAME | FNM_LEADING_DIR) == 0
			    : matches_anywhere(pattern, path))
			return true;
	}
	return false;
}

static void add_literally(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (strchr("*?[\\", *text))
			buf_addc(out, '\\');
		buf_addc(out, *text);
	}
}

void git_pathspecs(const char *subdirectory, const struct strv *patterns, struct strv *ret)
{
	CLEANUP(buf_release) struct buf top = BUF_INIT;

	if (*subdirectory) {
		strv_addf(ret, ":(top,literal)%s", subdirectory);
		add_literally(subdirectory, &top);
		buf_addc(&top, '/');
	} else if (patterns->count > 0) {
		strv_add(ret, ":(top)");
	}
	for (size_t i = 0; i < patterns->count; i++) {
		const char *pattern = patterns->items[i];
		const char *depth = strchr(pattern, '/') ? "" : "**/";

		/* What matches a directory is to take all that is in it along. */
		strv_addf(ret, ":(top,exclude,glob)%s%s%s", buf_text(&top), depth, pattern);
		strv_addf(ret, ":(top,exclude,glob)%s%s%s/**", buf_text(&top), depth, pattern);
	}
}

void git_patterns_below(const struct strv *patterns, const char *path, struct strv *ret)
{
	CLEANUP(free_ptr) char *start = xasprintf("%s/", path);

	for (size_t i = 0; i < patterns->count; i++) {
		const char *pattern = patterns->items[i];

		if (!strchr(pattern, '/'))
			strv_add(ret, pattern);
		else if (str_starts(pattern, start))
			strv_add(ret, pattern + strlen(start));
	}
}
