/* SPDX-License-Identifier: Apache-2.0
 * Packages of an image, as its own databases tell of them. Pure.
 *
 *	struct image_content -> packages_find -> struct packages, and whose each file is */
#ifndef AUDIT_PACKAGE_H
#define AUDIT_PACKAGE_H

#include "audit/image_content.h"
#include "base/json.h"
#include "base/strv.h"

enum package_kind {
	PACKAGE_DEB,
	PACKAGE_APK,
	PACKAGE_PYTHON,
	PACKAGE_SOURCE, /* an artifact that varve brought in: a git tree, a file by URL */
};

struct package {
	enum package_kind kind;
	char *name, *version; /* owned, as all texts here; "" where there is none */
	char *architecture;
	char *origin; /* the source package, with its version where that is another one */
	char *maintainer, *homepage, *summary;
	char *license; /* an SPDX expression; "": not known */
	char *database; /* path of the file that tells of it */
	unsigned layer; /* that its database entry, or its first file, comes from */
	bool build_only; /* was there while a step ran, and is not in the image */
	struct varve_digest sha256; /* of the .deb, wheel or artifact; none: not known */
	struct strv files; /* clean paths, as the database says; sorted */
	char *purl; /* package URL; set last */
};

struct packages {
	struct package *items; /* by kind, name, version, architecture, database */
	size_t count, alloc;
	int *owners; /* per file of the content: index of its package, or -1 */
	struct strv unread; /* databases that are there and are not read */
	struct strv licenses; /* "LicenseRef-X" "\t" the name as it was written; sorted */
	char *distribution; /* ID of os-release, "" where there is none */
	char *release; /* VERSION_ID */
	char *pretty; /* PRETTY_NAME */
};

void packages_find(const struct image_content *content, struct packages *ret);
void packages_release(struct packages *packages); /* usable with CLEANUP */

/* --- for the parts -------------------------------------------------------------------------------
 */
struct package *packages_add(struct packages *packages, enum package_kind kind,
			     const struct content_file *database);
void packages_drop_last(struct packages *packages);
/* Sorts, finds layers and the owner of each file, makes purls. For who added packages. */
void packages_settle(struct packages *packages, const struct image_content *content);
void packages_read_dpkg(struct packages *packages, const struct image_content *content);
void packages_read_apk(struct packages *packages, const struct image_content *content);
void packages_read_python(struct packages *packages, const struct image_content *content);
/* "pkg:deb/debian/bash@5.2?arch=amd64&distro=debian-12". Caller frees. */
char *package_purl(const struct packages *packages, const struct package *package);

/* One field of a stanza ("Name: value", lines that begin with a space go on); NULL: not there.
 * end: of the stanza. Caller frees. */
char *stanza_field(const char *text, const char *end, const char *name);
/* End of the stanza that begins at text (an empty line, or the end of all). */
const char *stanza_end(const char *text);

/* An SPDX expression for the name of a licence, or for several joined by "and", "or" and commas.
 * Names that SPDX does not have become LicenseRef-X and are noted in licenses. Caller frees. */
char *license_expression(const char *names, struct strv *licenses);
/* Of a machine-readable debian/copyright file: all its licences; "" for other files. */
char *license_of_copyright(const char *text, struct strv *licenses);

#endif
