/* SPDX-License-Identifier: Apache-2.0
 * apk's database: a stanza a package, a letter a field; F: a directory, R: a file in it. */
#include "audit/package.h"

#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"

static void set(char **text, const char *value, size_t len)
{
	free_ptr(text);
	*text = xstrndup(value, len);
}

static void take_line(struct packages *packages, struct package *package, char **directory,
		      const char *line, size_t len)
{
	const char *value = line + 2;
	CLEANUP(free_ptr) char *text = xstrndup(value, len - 2);
	CLEANUP(free_ptr) char *path = NULL;

	switch (line[0]) {
	case 'P':
		set(&package->name, value, len - 2);
		break;
	case 'V':
		set(&package->version, value, len - 2);
		break;
	case 'A':
		set(&package->architecture, value, len - 2);
		break;
	case 'T':
		set(&package->summary, value, len - 2);
		break;
	case 'U':
		set(&package->homepage, value, len - 2);
		break;
	case 'o':
		set(&package->origin, value, len - 2);
		break;
	case 'm':
		set(&package->maintainer, value, len - 2);
		break;
	case 'L':
		free_ptr(&package->license);
		package->license = license_expression(text, &packages->licenses);
		break;
	case 'F':
		set(directory, value, len - 2);
		break;
	case 'R':
		path = path_join(*directory ? *directory : "", text);
		if (path_is_clean(path))
			strv_take(&package->files, steal_ptr(&path));
		break;
	default:
		break;
	}
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
		packages->count--;
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
