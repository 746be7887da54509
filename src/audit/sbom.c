/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/sbom.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"

void sbom_release(struct sbom *sbom)
{
	free(sbom->name);
	image_content_release(&sbom->content);
	packages_release(&sbom->packages);
	*sbom = (struct sbom){0};
}

void sbom_set_time(struct sbom *sbom, int64_t epoch)
{
	time_t time = (time_t)epoch;
	struct tm tm;

	if (gmtime_r(&time, &tm))
		(void)strftime(sbom->created, sizeof(sbom->created), "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* RFC 3339 with any fraction and offset; 1970 where it is something else. */
static int64_t parse_time(const char *text)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int hours = 0, minutes = 0;
	int64_t offset;
	char sign;

	if (!rest)
		return 0;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) == 3)
		hours = sign == '-' ? -hours : hours;
	minutes = hours < 0 ? -minutes : minutes;
	offset = (int64_t)hours * 60 + minutes;
	return (int64_t)timegm(&tm) - offset * 60;
}

int sbom_read(struct varve_store *store, const struct image_side *side, const char *name,
	      bool files, struct sbom *ret, struct varve_error *err)
{
	CLEANUP(sbom_release)
	struct sbom sbom = {.side = side, .name = xstrdup(name), .files = files};
	int r = image_content_read(side, files, &sbom.content, err);

	if (r < 0)
		return r;
	packages_find(&sbom.content, &sbom.packages);
	sbom_add_sources(&sbom, store);
	sbom_set_time(&sbom, parse_time(json_optional_string(side->config, "created", "")));
	*ret = sbom;
	sbom = (struct sbom){0};
	return 0;
}

/* --- words for documents -------------------------------------------------------------------------
 */

const char *sbom_created_by(const struct sbom *sbom, unsigned layer)
{
	const json_t *history = json_object_get(sbom->side->config, "history"), *entry;
	unsigned at = 0;
	size_t i;

	json_array_foreach(history, i, entry)
	{
		if (json_is_true(json_object_get(entry, "empty_layer")))
			continue;
		if (at++ == layer)
			return json_optional_string(entry, "created_by", "");
	}
	return "";
}

char *sbom_package_id(const struct package *package)
{
	static const char *const kinds[] = {[PACKAGE_DEB] = "deb",
					    [PACKAGE_APK] = "apk",
					    [PACKAGE_PYTHON] = "pypi",
					    [PACKAGE_SOURCE] = "source"};
	CLEANUP(buf_release) struct buf whole = BUF_INIT;
	struct buf id = BUF_INIT;
	struct varve_digest digest;
	char hex[VARVE_DIGEST_HEX];

	buf_addf(&whole, "%s\n%s\n%d\n", package->purl, package->database, package->build_only);
	buf_add(&whole, package->sha256.bytes, sizeof(package->sha256.bytes));
	digest_bytes(whole.data, whole.len, &digest);
	buf_addf(&id, "%s-", kinds[package->kind]);
	for (const char *at = package->name; *at; at++)
		buf_addc(&id, isalnum((unsigned char)*at) || *at == '.' ? *at : '-');
	buf_addf(&id, "-%.12s", varve_digest_hex(&digest, hex));
	return buf_steal(&id);
}

char *sbom_image_purl(const struct sbom *sbom)
{
	CLEANUP(free_ptr) char *name = xstrdup(path_base(sbom->name));
	char hex[VARVE_DIGEST_HEX];

	name[strcspn(name, ":@")] = '\0';
	for (char *at = name; *at; at++)
		if (isalnum((unsigned char)*at) || strchr(".-_", *at))
			*at = (char)tolower((unsigned char)*at);
		else
			*at = '-';
	return xasprintf("pkg:oci/%s@sha256%%3A%s?arch=%s", *name ? name : "image",
			 varve_digest_hex(&sbom->side->manifest.self.digest, hex),
			 json_optional_string(sbom->side->config, "architecture", "unknown"));
}

bool sbom_is_address(const char *text)
{
	if (!str_starts(text, "http://") && !str_starts(text, "https://"))
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || (unsigned char)*text > '~' ||
		    strchr("<>\"{}|\\^`#[]", *text))
			return false;
	return true;
}

void sbom_document_digest(const struct sbom *sbom, const char *format, struct varve_digest *ret)
{
	char digest[VARVE_DIGEST_TEXT];
	CLEANUP(free_ptr)
	char *text = xasprintf("%s\n%s\n%s\n%s\n%d\n", format, sbom->name,
			       varve_digest_text(&sbom->side->manifest.self.digest, digest),
			       sbom->created, sbom->files);

	digest_bytes(text, strlen(text), ret);
}
