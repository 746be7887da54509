/* SPDX-License-Identifier: Apache-2.0
 * apk's database: a stanza a package, a letter a field; F: a directory, R: a file in it. */
#include "audit/package.h"

#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"

/* Fields that are a text of the package. */
static char **text_of(struct package *package, char letter)
{
	switch (letter) {
	case 'P':
		return &package->name;
	case 'V':
		return &package->version;
	case 'A':
		return &package->architecture;
	case 'T':
		return &package->summary;
	case 'U':
		return &package->homepage;
	case 'o':
		return &package->origin;
	case 'm':
		return &package->maintainer;
	default:
		return NULL;
	}
}

static void replace(char **text, char *take_value)
{
	free_ptr(text);
	*text = take_value;
}

static void add_file(struct package *package, const char *directory, const char *name)
{
	CLEANUP(free_ptr) char *path = path_join(directory ? directory : "", name);

	if (path_is_clean(path))
		strv_take(&package->files, steal_ptr(&path));
}

static void take_line(struct packages *packages, struct package *package, char **directory,
		      const char *line, size_t len)
{
	CLEANUP(free_ptr) char *value = xstrndup(line + 2, len - 2);
	char **text = text_of(package, line[0]);

	if (text)
		replace(text, steal_ptr(&value));
	else if (line[0] == 'L')
		replace(&package->license, license_expression(value, &packages->licenses));
	else if (line[0] == 'F')
		replace(directory, steal_ptr(&value));
	else if (line[0] == 'R')
		add_file(package, *directory, value);
}

static void read_stanza(struct packages *packages, const struct content_file *database,
			const char *text, const char *end)
{
	struct package *package = packages_add(packages, PACKAGE_APK, database);
	CLEANUP(free_ptr) char *directory = NULL;

	while (text < end) {
		size_t len = strcspn(text, "\n");

		if (len > 2 && text[1] == ':')
			take_line(packages, package, &directory, text, len);
		text += len + (text[len] == '\n');
	}
	if (!package->name)
		packages_drop_last(packages);
}

void packages_read_apk(struct packages *packages, const struct image_content *content)
{
	for (size_t i = 0; i < content->count; i++) {
		const struct content_file *file = &content->items[i];
		const char *text = file->text, *end;

		if (!text || !str_ends(file->path, "lib/apk/db/installed"))
			continue;
		for (; *text; text = *end ? end + 1 : end) {
			end = stanza_end(text);
			read_stanza(packages, file, text, end);
		}
	}
}
