/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/package.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_tar.h"
#include "source/python_name.h"

static void package_release(struct package *package)
{
	char *texts[] = {package->name,    package->version,  package->architecture,
			 package->origin,  package->homepage, package->maintainer,
			 package->summary, package->license,  package->database,
			 package->purl};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
	strv_release(&package->files);
}

void packages_release(struct packages *packages)
{
	for (size_t i = 0; i < packages->count; i++)
		package_release(&packages->items[i]);
	free(packages->items);
	free(packages->owners);
	strv_release(&packages->unread);
	strv_release(&packages->licenses);
	free(packages->distribution);
	free(packages->release);
	free(packages->pretty);
	*packages = (struct packages){0};
}

struct package *packages_add(struct packages *packages, enum package_kind kind,
			     const struct content_file *database)
{
	struct package *package;

	packages->items = array_grow(packages->items, packages->count, &packages->alloc,
				     sizeof(*packages->items));
	package = &packages->items[packages->count++];
	*package = (struct package){.kind = kind,
				    .database = xstrdup(database ? database->path : ""),
				    .layer = database ? database->layer : 0};
	return package;
}

void packages_drop_last(struct packages *packages)
{
	package_release(&packages->items[--packages->count]);
}

/* --- what the image is ---------------------------------------------------------------------------
 */

static char *release_field(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		const char *value = text + len + 1;
		size_t end;

		if (strncmp(text, name, len) != 0 || text[len] != '=')
			continue;
		value += *value == '"' || *value == '\'';
		end = strcspn(value, "\"'\n");
		return xstrndup(value, end);
	}
	return xstrdup("");
}

static void read_release(struct packages *packages, const struct image_content *content)
{
	static const char *const paths[] = {"usr/lib/os-release", "etc/os-release"};
	const char *text = "";

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct content_file *file = image_content_find(content, paths[i]);

		if (file && file->text)
			text = file->text;
	}
	packages->distribution = release_field(text, "ID");
	packages->release = release_field(text, "VERSION_ID");
	packages->pretty = release_field(text, "PRETTY_NAME");
}

static void note_unread(struct packages *packages, const struct image_content *content)
{
	static const char *const paths[] = {"usr/lib/sysimage/rpm/Packages.db",
					    "usr/lib/sysimage/rpm/rpmdb.sqlite",
					    "var/lib/pacman/local/ALPM_DB_VERSION",
					    "var/lib/rpm/Packages",
					    "var/lib/rpm/Packages.db",
					    "var/lib/rpm/rpmdb.sqlite"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (image_content_find(content, paths[i]))
			strv_add(&packages->unread, paths[i]);
}

/* --- settling ------------------------------------------------------------------------------------
 */

static int compare(const void *left, const void *right)
{
	const struct package *a = left, *b = right;
	const char *const pairs[][2] = {{a->name, b->name},
					{a->version, b->version},
					{a->architecture, b->architecture},
					{a->database, b->database}};

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		int r = strcmp(pairs[i][0], pairs[i][1]);

		if (r != 0)
			return r;
	}
	return 0;
}

static void fill(char **text)
{
	if (!*text)
		*text = xstrdup("");
}

static void fill_texts(struct package *package)
{
	fill(&package->name);
	fill(&package->version);
	fill(&package->architecture);
	fill(&package->origin);
	fill(&package->maintainer);
	fill(&package->homepage);
	fill(&package->summary);
	fill(&package->license);
	strv_sort(&package->files);
}

/* The first package that names a file has it: dpkg's, since Python's are often part of those. */
static void own_files(struct packages *packages, size_t index, const struct image_content *content)
{
	struct package *package = &packages->items[index];
	bool first = package->kind == PACKAGE_APK;

	for (size_t i = 0; i < package->files.count; i++) {
		const struct content_file *file =
			image_content_resolve(content, package->files.items[i]);

		if (!file || file->type == TAR_DIRECTORY)
			continue;
		/* One file holds the whole database: it says nothing of a package's layer. */
		if (first)
			package->layer = file->layer;
		first = false;
		if (packages->owners[file - content->items] < 0)
			packages->owners[file - content->items] = (int)index;
	}
}

void packages_settle(struct packages *packages, const struct image_content *content)
{
	for (size_t i = 0; i < packages->count; i++)
		fill_texts(&packages->items[i]);
	if (packages->count > 1)
		qsort(packages->items, packages->count, sizeof(*packages->items), compare);
	free(packages->owners);
	packages->owners = xcalloc(content->count + 1, sizeof(*packages->owners));
	for (size_t i = 0; i < content->count; i++)
		packages->owners[i] = -1;
	for (size_t i = 0; i < packages->count; i++) {
		own_files(packages, i, content);
		free(packages->items[i].purl);
		packages->items[i].purl = package_purl(packages, &packages->items[i]);
	}
	strv_sort(&packages->licenses);
}

void packages_find(const struct image_content *content, struct packages *ret)
{
	struct packages packages = {0};

	read_release(&packages, content);
	note_unread(&packages, content);
	packages_read_dpkg(&packages, content);
	packages_read_apk(&packages, content);
	packages_read_python(&packages, content);
	packages_settle(&packages, content);
	*ret = packages;
}

/* --- package URLs --------------------------------------------------------------------------------
 */

static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++)
		if ((*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
		    (*text >= 'A' && *text <= 'Z') || strchr(".-_~", *text))
			buf_addc(out, *text);
		else
			buf_addf(out, "%%%02X", (unsigned char)*text);
}

static void add_qualifier(struct buf *out, char *mark, const char *name, const char *value)
{
	if (!*value)
		return;
	buf_addf(out, "%c%s=", *mark, name);
	add_escaped(out, value);
	*mark = '&';
}

static void add_distribution(struct buf *out, char *mark, const struct packages *packages)
{
	CLEANUP(free_ptr)
	char *distribution = xasprintf("%s%s%s", packages->distribution,
				       *packages->release ? "-" : "", packages->release);

	if (*packages->distribution)
		add_qualifier(out, mark, "distro", distribution);
}

char *package_purl(const struct packages *packages, const struct package *package)
{
	static const char *const types[] = {[PACKAGE_DEB] = "deb",
					    [PACKAGE_APK] = "apk",
					    [PACKAGE_PYTHON] = "pypi",
					    [PACKAGE_SOURCE] = "generic"};
	static const char *const vendors[] = {[PACKAGE_DEB] = "debian", [PACKAGE_APK] = "alpine"};
	bool distributed = package->kind == PACKAGE_DEB || package->kind == PACKAGE_APK;
	struct buf purl = BUF_INIT;
	char hex[VARVE_DIGEST_TEXT], mark = '?';
	CLEANUP(free_ptr)
	char *name = package->kind == PACKAGE_PYTHON ? python_project(package->name)
						     : xstrdup(package->name);

	buf_addf(&purl, "pkg:%s/", types[package->kind]);
	if (distributed) {
		add_escaped(&purl, *packages->distribution ? packages->distribution
							   : vendors[package->kind]);
		buf_addc(&purl, '/');
	}
	add_escaped(&purl, name);
	if (*package->version) {
		buf_addc(&purl, '@');
		add_escaped(&purl, package->version);
	}
	if (distributed)
		add_qualifier(&purl, &mark, "arch", package->architecture);
	if (package->kind == PACKAGE_SOURCE && !varve_digest_is_none(&package->sha256))
		add_qualifier(&purl, &mark, "checksum", varve_digest_text(&package->sha256, hex));
	if (distributed)
		add_distribution(&purl, &mark, packages);
	return buf_steal(&purl);
}
