/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/remote_cache_document.h"

#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/descriptor.h"

#define TAG_PREFIX "step-"
#define FACT_PREFIX "destination-"
#define FACT_NAME "dev.varve.fact"
#define FACT_TEXT "dev.varve.text"
#define CREATED "org.opencontainers.image.created"

enum { DAY_SECONDS = 86400 };

const char *remote_cache_tag(const struct varve_digest *key, char buffer[REMOTE_CACHE_TAG])
{
	char hex[VARVE_DIGEST_HEX];

	(void)snprintf(buffer, REMOTE_CACHE_TAG, TAG_PREFIX "%s", varve_digest_hex(key, hex));
	return buffer;
}

bool remote_cache_is_tag(const char *tag)
{
	const char *prefix = str_starts(tag, FACT_PREFIX) ? FACT_PREFIX : TAG_PREFIX;
	struct varve_digest unused;

	return str_starts(tag, prefix) &&
	       varve_digest_parse_hex(tag + strlen(prefix), &unused) == 0;
}

/* Without annotations. empty: the only layer where the list has none. */
static json_t *new_manifest(const char *type, const struct varve_descriptor *config,
			    const struct layer_list *list, const struct varve_descriptor *empty)
{
	json_t *manifest = json_object(), *layers = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_append(layers, descriptor_to_json(&list->items[i].blob));
	if (list->count == 0)
		json_append(layers, descriptor_to_json(empty));
	json_set(manifest, "schemaVersion", json_integer(2));
	json_set(manifest, "mediaType", json_text(VARVE_MEDIA_MANIFEST));
	json_set(manifest, "artifactType", json_text(type));
	json_set(manifest, "config", descriptor_to_json(config));
	json_set(manifest, "layers", layers);
	return manifest;
}

static json_t *new_annotations(time_t when)
{
	json_t *annotations = json_object();
	char created[IMAGE_TIME];

	json_set(annotations, CREATED,
		 json_text(image_time((int64_t)when / DAY_SECONDS * DAY_SECONDS, created)));
	return annotations;
}

json_t *remote_cache_fact(const struct varve_descriptor *empty, const char *name, const char *text,
			  time_t when)
{
	static const struct layer_list none;
	json_t *manifest = new_manifest(REMOTE_CACHE_FACT, empty, &none, empty);
	json_t *annotations = new_annotations(when);

	json_set(annotations, FACT_NAME, json_text(name));
	json_set(annotations, FACT_TEXT, json_text(text));
	json_set(manifest, "annotations", annotations);
	return manifest;
}

static bool is_fact(const struct manifest *manifest)
{
	return !manifest->is_index &&
	       str_equal(json_optional_string(manifest->document, "artifactType", ""),
			 REMOTE_CACHE_FACT);
}

const char *remote_cache_read_fact(const struct manifest *manifest, const char *name)
{
	const json_t *annotations = json_object_get(manifest->document, "annotations");

	if (!is_fact(manifest) ||
	    !str_equal(json_optional_string(annotations, FACT_NAME, ""), name))
		return NULL;
	return json_optional_string(annotations, FACT_TEXT, NULL);
}

json_t *remote_cache_manifest(const struct varve_descriptor *config,
			      const struct layer_list *layers, const struct varve_descriptor *empty,
			      time_t when)
{
	json_t *manifest = new_manifest(REMOTE_CACHE_TYPE, config, layers, empty);

	json_set(manifest, "annotations", new_annotations(when));
	return manifest;
}

bool remote_cache_is_record(const struct manifest *manifest)
{
	return !manifest->is_index && manifest->child_count >= 2 &&
	       str_equal(manifest->children[0].media_type, REMOTE_CACHE_TYPE);
}

/* Both name the same blobs in the same order. */
static bool layers_agree(const struct manifest *manifest, const struct layer_list *layers)
{
	const struct varve_descriptor *named = &manifest->children[1];

	if (layers->count == 0)
		return manifest->child_count == 2;
	if (manifest->child_count != layers->count + 1)
		return false;
	for (size_t i = 0; i < layers->count; i++)
		if (!varve_digest_equal(&layers->items[i].blob.digest, &named[i].digest) ||
		    layers->items[i].blob.size != named[i].size)
			return false;
	return true;
}

const char *remote_cache_read(const struct manifest *manifest, const struct buf *text,
			      const struct varve_digest *key, struct store_record *ret)
{
	CLEANUP(json_decrefp) json_t *document = NULL;
	CLEANUP(store_record_release) struct store_record record = {0};
	struct varve_error unused;

	if (!remote_cache_is_record(manifest))
		return "it is none";
	if (json_parse(buf_text(text), text->len, "record", &document, &unused) < 0 ||
	    store_record_from_json(document, &record) < 0)
		return "its document is malformed";
	if (!varve_digest_equal(&record.key, key))
		return "it is of another step";
	if (!layers_agree(manifest, &record.layers))
		return "it names another layer than its manifest";
	*ret = record;
	record = (struct store_record){0};
	return NULL;
}

long remote_cache_age(const struct manifest *manifest, time_t now)
{
	const json_t *annotations = json_object_get(manifest->document, "annotations");
	const char *created = json_optional_string(annotations, CREATED, "");
	struct tm day = {0};

	if ((!remote_cache_is_record(manifest) && !is_fact(manifest)) ||
	    !strptime(created, "%Y-%m-%dT", &day))
		return -1;
	return (long)((now - timegm(&day)) / DAY_SECONDS);
}
