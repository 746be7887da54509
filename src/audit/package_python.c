/* SPDX-License-Identifier: Apache-2.0
 * Python distributions: NAME.dist-info/METADATA with RECORD; NAME.egg-info without. */
#include "audit/package.h"

#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"

/* The first cell of a row of comma-separated values. Returns where the next row begins. */
static const char *first_cell(const char *row, struct buf *cell)
{
	bool quoted = *row == '"';

	buf_reset(cell);
	row += quoted;
	for (; *row && (quoted || (*row != ',' && *row != '\n')); row++) {
		if (quoted && *row == '"' && row[1] != '"')
			break;
		row += quoted && *row == '"';
		buf_addc(cell, *row);
	}
	row += strcspn(row, "\n");
	return row + (*row == '\n');
}

/* Paths of RECORD start beside the dist-info directory, and may climb. */
static void add_path(struct strv *files, const char *directory, const char *path)
{
	CLEANUP(buf_release) struct buf at = BUF_INIT;

	if (*path != '/')
		buf_addstr(&at, directory);
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && strncmp(path, "..", 2) == 0) {
			at.len = path_dir_len(buf_text(&at));
			if (at.data)
				at.data[at.len] = '\0';
		} else if (len > 0 && !(len == 1 && *path == '.')) {
			buf_addf(&at, "%s%.*s", at.len > 0 ? "/" : "", (int)len, path);
		}
		path += len + (path[len] == '/');
	}
	if (at.len > 0)
		strv_add(files, buf_text(&at));
}

static void read_record(const char *text, const char *directory, struct strv *files)
{
	CLEANUP(buf_release) struct buf cell = BUF_INIT;

	while (*text) {
		text = first_cell(text, &cell);
		if (cell.len > 0)
			add_path(files, directory, buf_text(&cell));
	}
}

/* "License :: OSI Approved :: MIT License", one line each. */
static void add_classified(const char *text, const char *end, struct buf *names)
{
	static const char start[] = "Classifier: License ::";

	for (; text < end; text += strcspn(text, "\n") + 1) {
		size_t len = strcspn(text, "\n");
		const char *name = text + len;

		if (!str_starts(text, start))
			continue;
		while (name > text && strncmp(name, ":: ", 3) != 0)
			name--;
		buf_addf(names, "%s%.*s", names->len > 0 ? " and " : "",
			 (int)(len - (size_t)(name - text) - 3), name + 3);
	}
}

/* Whole licence texts have been seen in "License". */
static bool is_name(const char *text)
{
	return text && *text && strcasecmp(text, "UNKNOWN") != 0 && strlen(text) <= 80 &&
	       !strchr(text, '\n');
}

static char *license_of(const char *text, const char *end, struct strv *licenses)
{
	CLEANUP(free_ptr) char *expression = stanza_field(text, end, "License-Expression");
	CLEANUP(free_ptr) char *license = stanza_field(text, end, "License");
	CLEANUP(buf_release) struct buf names = BUF_INIT;

	if (is_name(expression))
		return license_expression(expression, licenses);
	if (is_name(license))
		return license_expression(license, licenses);
	add_classified(text, end, &names);
	return names.len > 0 ? license_expression(buf_text(&names), licenses) : xstrdup("");
}

static char *homepage_of(const char *text, const char *end)
{
	char *page = stanza_field(text, end, "Home-page");

	if (page && strcmp(page, "UNKNOWN") != 0)
		return page;
	free_ptr(&page);
	for (; text < end; text += strcspn(text, "\n") + 1) {
		const char *comma = strstr(text, ", ");

		if (str_starts(text, "Project-URL: Home") && comma)
			return xstrndup(comma + 2, strcspn(comma + 2, "\n"));
	}
	return xstrdup("");
}

static void read_metadata(struct packages *packages, const struct image_content *content,
			  const struct content_file *file, size_t directory)
{
	const char *text = file->text, *end = stanza_end(text);
	CLEANUP(free_ptr) char *name = stanza_field(text, end, "Name");
	CLEANUP(free_ptr) char *above = xstrndup(file->path, directory);
	CLEANUP(free_ptr)
	char *record = xasprintf("%.*s/RECORD", (int)path_dir_len(file->path), file->path);
	const struct content_file *files = image_content_find(content, record);
	char *version = stanza_field(text, end, "Version");
	struct package *package;

	if (!name) {
		free_ptr(&version);
		return;
	}
	package = packages_add(packages, PACKAGE_PYTHON, file);
	package->name = steal_ptr(&name);
	package->version = version ? version : xstrdup("");
	package->license = license_of(text, end, &packages->licenses);
	package->homepage = homepage_of(text, end);
	package->summary = stanza_field(text, end, "Summary");
	package->maintainer = stanza_field(text, end, "Author");
	if (files && files->text)
		read_record(files->text, above, &package->files);
}

/* Length of what the dist-info directory, or the egg-info file, lies in; SIZE_MAX: it is neither.
 */
static size_t directory_of(const struct content_file *file)
{
	size_t inner = path_dir_len(file->path);
	CLEANUP(free_ptr) char *parent = xstrndup(file->path, inner);

	if (str_ends(file->path, ".egg-info"))
		return inner;
	if (str_ends(file->path, ".dist-info/METADATA") ||
	    str_ends(file->path, ".egg-info/PKG-INFO"))
		return path_dir_len(parent);
	return SIZE_MAX;
}

void packages_read_python(struct packages *packages, const struct image_content *content)
{
	for (size_t i = 0; i < content->count; i++) {
		const struct content_file *file = &content->items[i];
		size_t directory = file->text ? directory_of(file) : SIZE_MAX;

		if (directory != SIZE_MAX)
			read_metadata(packages, content, file, directory);
	}
}
