/* SPDX-License-Identifier: Apache-2.0
 * dpkg's database: status, or status.d/NAME of images without dpkg, and info/NAME.list. */
#include "audit/package.h"

#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "layer/layer_tar.h"

static char *field(const char *text, const char *end, const char *name)
{
	char *value = stanza_field(text, end, name);

	return value ? value : xstrdup("");
}

/* The third word of Status: whether its files are there. */
static bool is_unpacked(const char *text, const char *end, bool distroless)
{
	CLEANUP(free_ptr) char *status = stanza_field(text, end, "Status");
	const char *last = status ? strrchr(status, ' ') : NULL;

	if (!status)
		return distroless;
	return last && strcmp(last, " not-installed") != 0 && strcmp(last, " config-files") != 0;
}

static char *first_line(char *take_text)
{
	take_text[strcspn(take_text, "\n")] = '\0';
	return take_text;
}

/* The source package, where it has another name or version. */
static char *origin_of(const char *text, const char *end, const struct package *package)
{
	CLEANUP(free_ptr) char *source = field(text, end, "Source");
	char *open = strstr(source, " (");

	if (*source == '\0')
		return xasprintf("%s %s", package->name, package->version);
	if (!open)
		return xasprintf("%s %s", source, package->version);
	*open = '\0';
	return xasprintf("%s %.*s", source, (int)strcspn(open + 2, ")"), open + 2);
}

/* info/NAME.list, with the architecture where a package may be there in several. */
static const struct content_file *list_of(const struct image_content *content,
					  const struct package *package)
{
	CLEANUP(free_ptr)
	char *plain = xasprintf("var/lib/dpkg/info/%s.list", package->name);
	CLEANUP(free_ptr)
	char *multi =
		xasprintf("var/lib/dpkg/info/%s:%s.list", package->name, package->architecture);
	const struct content_file *list = image_content_find(content, multi);

	return list ? list : image_content_find(content, plain);
}

static void add_path(struct strv *files, const char *path, size_t len)
{
	CLEANUP(free_ptr) char *text = xstrndup(path, len);
	char *clean = path_clean(text);

	if (clean && *clean)
		strv_take(files, clean);
	else
		free_ptr(&clean);
}

/* A path a line; those of md5sums stand behind the sum and two spaces. */
static void read_list(const char *text, bool sums, struct strv *files)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		const char *path = sums ? strstr(text, "  ") : text;

		if (path && (!sums || path + 2 < text + len))
			add_path(files, path + (sums ? 2 : 0),
				 len - (size_t)(path - text) - (sums ? 2 : 0));
		text += len + (text[len] == '\n');
	}
}

static void add_files(struct package *package, const struct image_content *content,
		      const struct content_file *database, bool distroless)
{
	CLEANUP(free_ptr) char *sums = xasprintf("%s.md5sums", database->path);
	const struct content_file *list =
		distroless ? image_content_find(content, sums) : list_of(content, package);

	if (!list || !list->text)
		return;
	read_list(list->text, distroless, &package->files);
	package->layer = list->layer;
}

static void add_license(struct packages *packages, struct package *package,
			const struct image_content *content)
{
	CLEANUP(free_ptr)
	char *path = xasprintf("usr/share/doc/%s/copyright", package->name);
	const struct content_file *file = image_content_resolve(content, path);
	const struct content_file *target = NULL;

	if (file && file->type == TAR_SYMLINK && file->link[0] != '/') {
		CLEANUP(free_ptr)
		char *to = xasprintf("usr/share/doc/%s/%s", package->name, file->link);

		target = image_content_resolve(content, to);
	}
	file = target ? target : file;
	free(package->license);
	package->license = file && file->text
				   ? license_of_copyright(file->text, &packages->licenses)
				   : xstrdup("");
}

static void read_stanza(struct packages *packages, const struct image_content *content,
			const struct content_file *database, const char *text, const char *end)
{
	bool distroless = str_starts(database->path, "var/lib/dpkg/status.d/");
	CLEANUP(free_ptr) char *name = stanza_field(text, end, "Package");
	struct package *package;

	if (!name || !is_unpacked(text, end, distroless))
		return;
	package = packages_add(packages, PACKAGE_DEB, database);
	package->name = steal_ptr(&name);
	package->version = field(text, end, "Version");
	package->architecture = field(text, end, "Architecture");
	package->maintainer = field(text, end, "Maintainer");
	package->homepage = field(text, end, "Homepage");
	package->summary = first_line(field(text, end, "Description"));
	package->origin = origin_of(text, end, package);
	add_files(package, content, database, distroless);
	add_license(packages, package, content);
}

static void read_database(struct packages *packages, const struct image_content *content,
			  const struct content_file *database)
{
	const char *text = database->text, *end;

	while (*text) {
		end = stanza_end(text);
		read_stanza(packages, content, database, text, end);
		text = end;
		while (*text == '\n')
			text++;
	}
}

void packages_read_dpkg(struct packages *packages, const struct image_content *content)
{
	for (size_t i = 0; i < content->count; i++) {
		const struct content_file *file = &content->items[i];

		if (file->text && (strcmp(file->path, "var/lib/dpkg/status") == 0 ||
				   (str_starts(file->path, "var/lib/dpkg/status.d/") &&
				    !str_ends(file->path, ".md5sums"))))
			read_database(packages, content, file);
	}
}
