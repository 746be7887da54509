/* SPDX-License-Identifier: Apache-2.0 */
#include "source/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/path.h"

#define TITLE "org.opencontainers.image.title"

enum { BUNDLE_BLOBS = 200000, BUNDLE_FORMAT = 1 };

void bundle_release(struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->count; i++)
		free(bundle->blobs[i].title);
	free(bundle->blobs);
	json_decref(bundle->config);
	*bundle = (struct bundle){0};
}

json_t *bundle_manifest_json(const struct bundle *bundle)
{
	json_t *manifest = json_object(), *layers = json_array();

	for (size_t i = 0; i < bundle->count; i++) {
		json_t *layer = descriptor_to_json(&bundle->blobs[i].descriptor);
		json_t *annotations = json_object();

		json_set(annotations, TITLE, json_text(bundle->blobs[i].title));
		json_set(layer, "annotations", annotations);
		json_append(layers, layer);
	}
	json_set(manifest, "schemaVersion", json_integer(2));
	json_set(manifest, "mediaType", json_text(VARVE_MEDIA_MANIFEST));
	json_set(manifest, "artifactType", json_text(VARVE_BUNDLE));
	json_set(manifest, "config", descriptor_to_json(&bundle->config_descriptor));
	json_set(manifest, "layers", layers);
	return manifest;
}

static int read_blob(const json_t *object, struct bundle *ret, struct varve_error *err)
{
	struct bundle_blob *blob;
	int r;

	ret->blobs = array_grow(ret->blobs, ret->count, &ret->alloc, sizeof(*ret->blobs));
	blob = &ret->blobs[ret->count];
	r = descriptor_from_json(object, &blob->descriptor, err);
	if (r < 0)
		return r;
	blob->title = xstrdup(
		json_optional_string(json_object_get(object, "annotations"), TITLE, "(no title)"));
	ret->count++;
	return 0;
}

/* Tools that know no artifactType may drop it: the type of the config says the same. */
int bundle_manifest_parse(const json_t *manifest, struct bundle *ret, struct varve_error *err)
{
	json_t *config = NULL, *layers = NULL;
	int r = json_get_object(manifest, "config", &config, err);

	if (r == 0)
		r = json_get_array(manifest, "layers", &layers, err);
	if (r == 0)
		r = descriptor_from_json(config, &ret->config_descriptor, err);
	if (r < 0)
		return r;
	if (!str_equal(ret->config_descriptor.media_type, VARVE_BUNDLE_CONFIG))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "is no bundle: its config is of type %s",
				       ret->config_descriptor.media_type);
	if (json_array_size(layers) > BUNDLE_BLOBS)
		return varve_error_set(err, -VARVE_E_LIMIT, "names more than %d blobs",
				       BUNDLE_BLOBS);
	for (size_t i = 0; i < json_array_size(layers) && r == 0; i++)
		r = read_blob(json_array_get(layers, i), ret, err);
	return r;
}

static int check_texts(const json_t *config, const char *member, struct varve_error *err)
{
	json_t *list = NULL;
	int r = json_get_array(config, member, &list, err);

	for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			r = varve_error_set(err, -VARVE_E_FORMAT, "\"%s\" is no list of texts",
					    member);
	return r;
}

static int check_sources(const json_t *config, struct varve_error *err)
{
	struct varve_digest spec;
	json_t *list = NULL;
	const char *name;
	int r = json_get_array(config, "sources", &list, err);

	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		r = json_get_string(json_array_get(list, i), "name", &name, err);
		if (r == 0)
			r = json_get_digest(json_array_get(list, i), "spec", &spec, err);
	}
	return r;
}

int bundle_config_check(const json_t *config, struct varve_error *err)
{
	const char *recipe = NULL, *lock = NULL, *text;
	uint64_t version = 0;
	int r = json_get_u64(config, "varve-bundle", &version, err);

	if (r == 0 && version != BUNDLE_FORMAT)
		r = varve_error_set(err, -VARVE_E_FORMAT,
				    "is a bundle of version %llu; this varve knows version %d",
				    (unsigned long long)version, BUNDLE_FORMAT);
	if (r == 0)
		r = json_get_string(config, "recipe", &recipe, err);
	if (r == 0)
		r = json_get_string(config, "lock", &lock, err);
	if (r == 0)
		r = json_get_string(config, "name", &text, err);
	if (r == 0)
		r = json_get_string(config, "platform", &text, err);
	if (r == 0 && (!path_is_clean(recipe) || (*lock && !path_is_clean(lock))))
		r = varve_error_set(err, -VARVE_E_FORMAT, "names a recipe outside of itself");
	if (r == 0)
		r = check_texts(config, "settings", err);
	if (r == 0)
		r = check_texts(config, "images", err);
	return r < 0 ? r : check_sources(config, err);
}
