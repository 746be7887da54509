/* SPDX-License-Identifier: Apache-2.0
 * SPDX 2.3 as JSON. An image contains layers, a layer packages and files, a package files. */
#include "audit/sbom.h"

#include <stdlib.h>
#include <string.h>
#include <varve/version.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_tar.h"

enum { SHA1_HEX = 2 * SHA1_SIZE + 1 };

struct spdx {
	const struct sbom *sbom;
	json_t *packages, *files, *relationships;
	char **ids; /* per package */
};

static void relate(struct spdx *d, const char *from, const char *type, const char *to)
{
	json_t *one = json_object();

	json_set(one, "spdxElementId", json_text(from));
	json_set(one, "relationshipType", json_text(type));
	json_set(one, "relatedSpdxElement", json_text(to));
	json_append(d->relationships, one);
}

static void add_checksum(json_t *list, const char *algorithm, const char *hex)
{
	json_t *one = json_object();

	json_set(one, "algorithm", json_text(algorithm));
	json_set(one, "checksumValue", json_text(hex));
	json_append(list, one);
}

static json_t *checksums(const struct varve_digest *sha256)
{
	json_t *list = json_array();
	char hex[VARVE_DIGEST_HEX];

	add_checksum(list, "SHA256", varve_digest_hex(sha256, hex));
	return list;
}

static json_t *package_of(const char *id, const char *name, const char *version,
			  const char *purpose)
{
	static const char *const unsaid[] = {"downloadLocation", "licenseConcluded",
					     "licenseDeclared", "copyrightText"};
	json_t *package = json_object();

	json_set(package, "SPDXID", json_text(id));
	json_set(package, "name", json_text(name));
	if (*version)
		json_set(package, "versionInfo", json_text(version));
	for (size_t i = 0; i < ARRAY_SIZE(unsaid); i++)
		json_set(package, unsaid[i], json_text("NOASSERTION"));
	json_set(package, "filesAnalyzed", json_false());
	json_set(package, "primaryPackagePurpose", json_text(purpose));
	return package;
}

static void add_purl(json_t *package, const char *purl)
{
	json_t *references = json_array(), *one = json_object();

	json_set(one, "referenceCategory", json_text("PACKAGE-MANAGER"));
	json_set(one, "referenceType", json_text("purl"));
	json_set(one, "referenceLocator", json_text(purl));
	json_append(references, one);
	json_set(package, "externalRefs", references);
}

static char *layer_id(unsigned layer)
{
	return xasprintf("SPDXRef-Layer-%u", layer + 1);
}

static void add_image(struct spdx *d)
{
	const struct image_side *side = d->sbom->side;
	CLEANUP(free_ptr) char *purl = sbom_image_purl(d->sbom);
	char digest[VARVE_DIGEST_TEXT];
	json_t *image =
		package_of("SPDXRef-Image", d->sbom->name,
			   varve_digest_text(&side->manifest.self.digest, digest), "CONTAINER");

	json_set(image, "checksums", checksums(&side->manifest.self.digest));
	add_purl(image, purl);
	json_append(d->packages, image);
	relate(d, "SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image");
	for (unsigned i = 0; i < side->layer_count; i++) {
		CLEANUP(free_ptr) char *id = layer_id(i);
		CLEANUP(free_ptr) char *name = xasprintf("layer %u", i + 1);
		const char *by = sbom_created_by(d->sbom, i);
		json_t *layer = package_of(id, name, varve_digest_text(&side->diff_ids[i], digest),
					   "ARCHIVE");

		json_set(layer, "checksums", checksums(&side->manifest.children[i + 1].digest));
		if (*by)
			json_set(layer, "comment", json_text(by));
		json_append(d->packages, layer);
		relate(d, "SPDXRef-Image", "CONTAINS", id);
	}
}

/* "NAME <MAIL>" as SPDX writes it. */
static char *supplier_of(const char *maintainer)
{
	CLEANUP(free_ptr) char *name = xstrdup(maintainer);
	char *mail = strchr(name, '<');

	name[strcspn(name, "\n")] = '\0';
	if (!mail)
		return xasprintf("Organization: %s", name);
	*mail++ = '\0';
	mail[strcspn(mail, ">")] = '\0';
	for (size_t len = strlen(name); len > 0 && name[len - 1] == ' '; len--)
		name[len - 1] = '\0';
	/* Parentheses are what the mail stands in. */
	for (char *at = name; *at; at++)
		if (*at == '(' || *at == ')')
			*at = ' ';
	return xasprintf("Organization: %s (%s)", name, mail);
}

static void describe(json_t *made, const struct package *package)
{
	CLEANUP(free_ptr) char *supplier = supplier_of(package->maintainer);
	CLEANUP(free_ptr) char *origin = xasprintf("built from %s", package->origin);

	if (*package->license)
		json_set(made, "licenseDeclared", json_text(package->license));
	if (*package->maintainer)
		json_set(made, "supplier", json_text(supplier));
	if (*package->origin)
		json_set(made, "sourceInfo", json_text(origin));
	if (*package->summary)
		json_set(made, "summary", json_text(package->summary));
	if (sbom_is_address(package->homepage))
		json_set(made, "homepage", json_text(package->homepage));
	if (!varve_digest_is_none(&package->sha256))
		json_set(made, "checksums", checksums(&package->sha256));
	if (*package->database) {
		CLEANUP(free_ptr) char *comment = xasprintf("told by /%s", package->database);

		json_set(made, "comment", json_text(comment));
	}
	add_purl(made, package->purl);
}

static void add_packages(struct spdx *d)
{
	const struct packages *all = &d->sbom->packages;

	for (size_t i = 0; i < all->count; i++) {
		const struct package *package = &all->items[i];
		CLEANUP(free_ptr) char *word = sbom_package_id(package);
		CLEANUP(free_ptr) char *layer = layer_id(package->layer);
		json_t *made;

		d->ids[i] = xasprintf("SPDXRef-Package-%s", word);
		made = package_of(d->ids[i], package->name, package->version,
				  package->kind == PACKAGE_SOURCE ? "SOURCE" : "LIBRARY");
		describe(made, package);
		json_append(d->packages, made);
		if (package->build_only)
			relate(d, d->ids[i], "BUILD_DEPENDENCY_OF", "SPDXRef-Image");
		else
			relate(d, layer, "CONTAINS", d->ids[i]);
	}
}

/* --- files ---------------------------------------------------------------------------------------
 */

static void sha1_hex(const unsigned char sha1[SHA1_SIZE], char ret[SHA1_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < SHA1_SIZE; i++) {
		ret[2 * i] = digits[sha1[i] >> 4];
		ret[2 * i + 1] = digits[sha1[i] & 15];
	}
	ret[SHA1_HEX - 1] = '\0';
}

static void add_file(struct spdx *d, const struct content_file *file, int owner)
{
	struct varve_digest of_path;
	char hex[VARVE_DIGEST_HEX], sha1[SHA1_HEX];
	CLEANUP(free_ptr) char *id = NULL;
	CLEANUP(free_ptr) char *name = xasprintf("./%s", file->path);
	CLEANUP(free_ptr) char *layer = layer_id(file->layer);
	json_t *made = json_object(), *sums = json_array();

	digest_bytes(file->path, strlen(file->path), &of_path);
	id = xasprintf("SPDXRef-File-%.20s", varve_digest_hex(&of_path, hex));
	sha1_hex(file->sha1, sha1);
	add_checksum(sums, "SHA1", sha1);
	add_checksum(sums, "SHA256", varve_digest_hex(&file->sha256, hex));
	json_set(made, "SPDXID", json_text(id));
	json_set(made, "fileName", json_text(name));
	json_set(made, "checksums", sums);
	json_append(d->files, made);
	relate(d, layer, "CONTAINS", id);
	if (owner >= 0)
		relate(d, d->ids[owner], "CONTAINS", id);
}

static int compare_sha1(const void *a, const void *b)
{
	return memcmp(a, b, SHA1_SIZE);
}

/* Clause 7.9: the sha1 of the files' sha1s, sorted and written one after the other. */
static void verification_code(unsigned char (*sums)[SHA1_SIZE], size_t count, char *ret)
{
	CLEANUP(hasher_freep) struct hasher *hasher = hasher_new_sha1();
	unsigned char sum[SHA1_SIZE];

	qsort(sums, count, SHA1_SIZE, compare_sha1);
	for (size_t i = 0; i < count; i++) {
		char hex[SHA1_HEX];

		sha1_hex(sums[i], hex);
		hasher_update(hasher, hex, SHA1_HEX - 1);
	}
	hasher_final_sha1(hasher, sum);
	sha1_hex(sum, ret);
}

static bool is_file(const struct content_file *file)
{
	return file->type == TAR_FILE || file->type == TAR_LINK;
}

/* A file of an element of "packages": of a layer, or a package. */
struct owned {
	size_t element;
	unsigned char sha1[SHA1_SIZE];
};

static int by_element(const void *left, const void *right)
{
	const struct owned *a = left, *b = right;

	return a->element < b->element ? -1 : a->element > b->element;
}

static void set_code(struct spdx *d, const struct owned *first, size_t count)
{
	unsigned char(*sums)[SHA1_SIZE] = xcalloc(count, SHA1_SIZE);
	char hex[SHA1_HEX];
	json_t *code = json_object(), *package;

	for (size_t i = 0; i < count; i++)
		memcpy(sums[i], first[i].sha1, SHA1_SIZE);
	verification_code(sums, count, hex);
	free(sums);
	json_set(code, "packageVerificationCodeValue", json_text(hex));
	package = json_array_get(d->packages, first->element);
	json_set(package, "filesAnalyzed", json_true());
	json_set(package, "packageVerificationCode", code);
}

static void add_owned(struct owned *owned, size_t element, const struct content_file *file)
{
	owned->element = element;
	memcpy(owned->sha1, file->sha1, SHA1_SIZE);
}

static void add_files(struct spdx *d)
{
	const struct image_content *content = &d->sbom->content;
	CLEANUP(free_ptr) struct owned *owned = xcalloc(2 * content->count + 1, sizeof(*owned));
	size_t count = 0, first, next;

	for (size_t i = 0; i < content->count; i++) {
		const struct content_file *file = &content->items[i];
		int owner = d->sbom->packages.owners[i];

		if (!is_file(file))
			continue;
		add_file(d, file, owner);
		add_owned(&owned[count++], 1 + file->layer, file);
		if (owner >= 0)
			add_owned(&owned[count++], 1 + d->sbom->side->layer_count + (size_t)owner,
				  file);
	}
	qsort(owned, count, sizeof(*owned), by_element);
	for (first = 0; first < count; first = next) {
		for (next = first; next < count && owned[next].element == owned[first].element;)
			next++;
		set_code(d, &owned[first], next - first);
	}
}

/* --- the document --------------------------------------------------------------------------------
 */

static json_t *extracted_licenses(const struct packages *packages)
{
	json_t *list = json_array();

	for (size_t i = 0; i < packages->licenses.count; i++) {
		const char *row = packages->licenses.items[i];
		size_t len = strcspn(row, "\t");
		CLEANUP(free_ptr) char *id = xstrndup(row, len);
		CLEANUP(free_ptr)
		char *text = xasprintf("The package's own name for its licence: %s", row + len + 1);
		json_t *one;

		/* Two spellings of a name may come to one identifier. */
		if (i > 0 && strncmp(row, packages->licenses.items[i - 1], len + 1) == 0)
			continue;
		one = json_object();
		json_set(one, "licenseId", json_text(id));
		json_set(one, "name", json_text(row + len + 1));
		json_set(one, "extractedText", json_text(text));
		json_append(list, one);
	}
	return list;
}

static json_t *creation(const struct sbom *sbom)
{
	CLEANUP(free_ptr) char *tool = xasprintf("Tool: varve-%s", varve_version());
	json_t *info = json_object(), *creators = json_array();

	json_append(creators, json_text(tool));
	json_set(info, "created", json_text(sbom->created));
	json_set(info, "creators", creators);
	return info;
}

json_t *sbom_spdx(const struct sbom *sbom)
{
	struct spdx d = {.sbom = sbom,
			 .packages = json_array(),
			 .files = json_array(),
			 .relationships = json_array(),
			 .ids = xcalloc(sbom->packages.count + 1, sizeof(*d.ids))};
	json_t *document = json_object();
	struct varve_digest digest;
	char hex[VARVE_DIGEST_HEX];
	CLEANUP(free_ptr) char *space = NULL;

	sbom_document_digest(sbom, "spdx", &digest);
	space = xasprintf("urn:varve:sbom:%s", varve_digest_hex(&digest, hex));
	add_image(&d);
	add_packages(&d);
	if (sbom->files)
		add_files(&d);
	json_set(document, "spdxVersion", json_text("SPDX-2.3"));
	json_set(document, "dataLicense", json_text("CC0-1.0"));
	json_set(document, "SPDXID", json_text("SPDXRef-DOCUMENT"));
	json_set(document, "name", json_text(sbom->name));
	json_set(document, "documentNamespace", json_text(space));
	json_set(document, "creationInfo", creation(sbom));
	json_set(document, "packages", d.packages);
	json_set(document, "files", d.files);
	json_set(document, "relationships", d.relationships);
	if (sbom->packages.licenses.count > 0)
		json_set(document, "hasExtractedLicensingInfos",
			 extracted_licenses(&sbom->packages));
	if (sbom->packages.unread.count > 0) {
		CLEANUP(free_ptr) char *list = strv_join(&sbom->packages.unread, ", ");
		CLEANUP(free_ptr) char *comment = xasprintf("not read: %s", list);

		json_set(document, "comment", json_text(comment));
	}
	for (size_t i = 0; i < sbom->packages.count; i++)
		free(d.ids[i]);
	free(d.ids);
	return document;
}
