/* SPDX-License-Identifier: Apache-2.0
 * CycloneDX 1.6 as JSON. Packages are components; their files, where wanted, components in them. */
#include "audit/sbom.h"

#include <stdlib.h>
#include <string.h>
#include <varve/version.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_tar.h"

static json_t *component(const char *type, const char *name, const char *version)
{
	json_t *made = json_object();

	json_set(made, "type", json_text(type));
	json_set(made, "name", json_text(name));
	if (*version)
		json_set(made, "version", json_text(version));
	return made;
}

static void add_property(json_t *list, const char *name, const char *value)
{
	json_t *one = json_object();

	json_set(one, "name", json_text(name));
	json_set(one, "value", json_text(value));
	json_append(list, one);
}

static json_t *hashes(const struct varve_digest *sha256)
{
	json_t *list = json_array(), *one = json_object();
	char hex[VARVE_DIGEST_HEX];

	json_set(one, "alg", json_text("SHA-256"));
	json_set(one, "content", json_text(varve_digest_hex(sha256, hex)));
	json_append(list, one);
	return list;
}

/* "3 sha256:...": which one, and its diff id. */
static void add_layer(json_t *properties, const struct sbom *sbom, unsigned layer)
{
	char digest[VARVE_DIGEST_TEXT];
	CLEANUP(free_ptr)
	char *value = xasprintf("%u %s", layer + 1,
				varve_digest_text(&sbom->side->diff_ids[layer], digest));

	add_property(properties, "varve:layer", value);
}

static json_t *image_component(const struct sbom *sbom)
{
	CLEANUP(free_ptr) char *purl = sbom_image_purl(sbom);
	char digest[VARVE_DIGEST_TEXT];
	json_t *image = component("container", sbom->name,
				  varve_digest_text(&sbom->side->manifest.self.digest, digest));
	json_t *properties = json_array();

	for (unsigned i = 0; i < sbom->side->layer_count; i++) {
		CLEANUP(free_ptr)
		char *value = xasprintf("%u %s %s", i + 1,
					varve_digest_text(&sbom->side->diff_ids[i], digest),
					sbom_created_by(sbom, i));

		add_property(properties, "varve:layer", value);
	}
	for (size_t i = 0; i < sbom->packages.unread.count; i++)
		add_property(properties, "varve:not-read", sbom->packages.unread.items[i]);
	json_set(image, "bom-ref", json_text("image"));
	json_set(image, "purl", json_text(purl));
	json_set(image, "hashes", hashes(&sbom->side->manifest.self.digest));
	json_set(image, "properties", properties);
	return image;
}

static json_t *tools(void)
{
	json_t *all = json_object(), *list = json_array();

	json_append(list, component("application", "varve", varve_version()));
	json_set(all, "components", list);
	return all;
}

static json_t *metadata(const struct sbom *sbom)
{
	json_t *made = json_object();

	json_set(made, "timestamp", json_text(sbom->created));
	json_set(made, "tools", tools());
	json_set(made, "component", image_component(sbom));
	return made;
}

static void describe(json_t *made, const struct package *package)
{
	if (*package->license) {
		json_t *list = json_array(), *one = json_object();

		json_set(one, "expression", json_text(package->license));
		json_append(list, one);
		json_set(made, "licenses", list);
	}
	if (*package->maintainer) {
		json_t *supplier = json_object();

		json_set(supplier, "name", json_text(package->maintainer));
		json_set(made, "supplier", supplier);
	}
	if (*package->summary)
		json_set(made, "description", json_text(package->summary));
	if (sbom_is_address(package->homepage)) {
		json_t *list = json_array(), *one = json_object();

		json_set(one, "type", json_text("website"));
		json_set(one, "url", json_text(package->homepage));
		json_append(list, one);
		json_set(made, "externalReferences", list);
	}
	if (!varve_digest_is_none(&package->sha256))
		json_set(made, "hashes", hashes(&package->sha256));
	if (package->build_only)
		json_set(made, "scope", json_text("excluded"));
}

static json_t *package_component(const struct sbom *sbom, const struct package *package)
{
	CLEANUP(free_ptr) char *id = sbom_package_id(package);
	json_t *made = component("library", package->name, package->version);
	json_t *properties = json_array();

	json_set(made, "bom-ref", json_text(id));
	json_set(made, "purl", json_text(package->purl));
	describe(made, package);
	if (!package->build_only && sbom->side->layer_count > 0)
		add_layer(properties, sbom, package->layer);
	if (*package->database)
		add_property(properties, "varve:told-by", package->database);
	if (*package->origin)
		add_property(properties, "varve:built-from", package->origin);
	json_set(made, "properties", properties);
	return made;
}

static json_t *file_component(const struct sbom *sbom, const struct content_file *file)
{
	CLEANUP(free_ptr) char *name = xasprintf("/%s", file->path);
	json_t *made = component("file", name, ""), *properties = json_array();

	add_layer(properties, sbom, file->layer);
	json_set(made, "hashes", hashes(&file->sha256));
	json_set(made, "properties", properties);
	return made;
}

/* A file of no package stands beside the packages. */
static void add_files(const struct sbom *sbom, json_t *components)
{
	for (size_t i = 0; i < sbom->content.count; i++) {
		const struct content_file *file = &sbom->content.items[i];
		int owner = sbom->packages.owners[i];
		json_t *list = components, *package;

		if (file->type != TAR_FILE && file->type != TAR_LINK)
			continue;
		if (owner >= 0) {
			package = json_array_get(components, (size_t)owner);
			list = json_object_get(package, "components");
			if (!list)
				json_set(package, "components", list = json_array());
		}
		json_append(list, file_component(sbom, file));
	}
}

static json_t *dependencies(const struct sbom *sbom)
{
	json_t *list = json_array(), *one = json_object(), *on = json_array();

	for (size_t i = 0; i < sbom->packages.count; i++) {
		CLEANUP(free_ptr) char *id = sbom_package_id(&sbom->packages.items[i]);

		if (!sbom->packages.items[i].build_only)
			json_append(on, json_text(id));
	}
	json_set(one, "ref", json_text("image"));
	json_set(one, "dependsOn", on);
	json_append(list, one);
	return list;
}

/* RFC 9562, version 8: bits of our own choice, here of the document's digest. */
static char *serial_number(const struct sbom *sbom)
{
	struct varve_digest digest;
	char hex[VARVE_DIGEST_HEX];

	sbom_document_digest(sbom, "cyclonedx", &digest);
	digest.bytes[6] = (unsigned char)((digest.bytes[6] & 0x0f) | 0x80);
	digest.bytes[8] = (unsigned char)((digest.bytes[8] & 0x3f) | 0x80);
	varve_digest_hex(&digest, hex);
	return xasprintf("urn:uuid:%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
			 hex + 20);
}

static json_t *system_component(const struct packages *packages)
{
	json_t *made = component("operating-system", packages->distribution, packages->release);

	json_set(made, "bom-ref", json_text("operating-system"));
	if (*packages->pretty)
		json_set(made, "description", json_text(packages->pretty));
	return made;
}

json_t *sbom_cyclonedx(const struct sbom *sbom)
{
	CLEANUP(free_ptr) char *serial = serial_number(sbom);
	json_t *document = json_object(), *components = json_array();

	for (size_t i = 0; i < sbom->packages.count; i++)
		json_append(components, package_component(sbom, &sbom->packages.items[i]));
	if (sbom->files)
		add_files(sbom, components);
	if (*sbom->packages.distribution)
		json_append(components, system_component(&sbom->packages));
	json_set(document, "$schema", json_text("http://cyclonedx.org/schema/bom-1.6.schema.json"));
	json_set(document, "bomFormat", json_text("CycloneDX"));
	json_set(document, "specVersion", json_text("1.6"));
	json_set(document, "serialNumber", json_text(serial));
	json_set(document, "version", json_integer(1));
	json_set(document, "metadata", metadata(sbom));
	json_set(document, "components", components);
	json_set(document, "dependencies", dependencies(sbom));
	return document;
}
