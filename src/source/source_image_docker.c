/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source_image.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/fd.h"
#include "base/path.h"
#include "image/image_document.h"
#include "store/store.h"

/* Some tools write names as they were given, some spell the default registry out. */
static bool has_tag(const json_t *entry, const char *name)
{
	const json_t *tags = json_object_get(entry, "RepoTags");
	bool tagged = strchr(path_base(name), ':') != NULL;
	CLEANUP(free_ptr) char *whole = xasprintf("%s%s", name, tagged ? "" : ":latest");

	static const char *const spelt_out[] = {"", "docker.io/", "docker.io/library/"};

	for (size_t i = 0; i < json_array_size(tags); i++)
		for (size_t k = 0; k < ARRAY_SIZE(spelt_out); k++) {
			CLEANUP(free_ptr) char *tag = xasprintf("%s%s", spelt_out[k], whole);

			if (str_equal(json_string_value(json_array_get(tags, i)), tag))
				return true;
		}
	return false;
}

static int choose(const struct layout *layout, const char *name, json_t **ret,
		  struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *list = NULL;
	json_t *found = NULL;
	size_t fitting = 0;
	int r = layout_read(layout, "manifest.json", LAYOUT_DOCUMENT_LIMIT, &text, err);

	if (r == 0)
		r = json_parse(buf_text(&text), text.len, "manifest.json", &list, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (name && !has_tag(json_array_get(list, i), name))
			continue;
		found = json_array_get(list, i);
		fitting++;
	}
	if (fitting == 1) {
		*ret = json_incref(found);
		return 0;
	}
	if (name)
		return varve_error_set(err, -VARVE_E_RESOLVE, "there is no image \"%s\"", name);
	return varve_error_set(err, -VARVE_E_RESOLVE, "there are %zu images, give a name", fitting);
}

/* What the first bytes say: nothing else in such an archive does. */
static int type_of_layer(struct varve_store *store, struct varve_descriptor *layer,
			 struct varve_error *err)
{
	static const unsigned char gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
	unsigned char start[4] = {0};
	const char *type = VARVE_MEDIA_LAYER;
	CLEANUP(fd_close) int fd = -1;
	int r = varve_store_open_blob(store, &layer->digest, &fd, err);

	if (r < 0)
		return r;
	if (pread(fd, start, sizeof(start), 0) == (ssize_t)sizeof(start)) {
		if (memcmp(start, gzip, sizeof(gzip)) == 0)
			type = VARVE_MEDIA_LAYER_GZIP;
		if (memcmp(start, zstd, sizeof(zstd)) == 0)
			type = VARVE_MEDIA_LAYER_ZSTD;
	}
	(void)snprintf(layer->media_type, sizeof(layer->media_type), "%s", type);
	return 0;
}

static int import_member(const struct layout *layout, struct varve_store *store,
			 const json_t *member, struct varve_descriptor *ret,
			 struct varve_error *err)
{
	const char *name = json_string_value(member);
	CLEANUP(free_ptr) char *path = name ? path_clean(name) : NULL;

	if (!path || *path == '\0')
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "manifest.json names no file where it should");
	return layout_import(layout, path, store, NULL, ret, err);
}

static int import_layers(const struct layout *layout, struct varve_store *store,
			 const json_t *entry, json_t *descriptors, struct varve_error *err)
{
	json_t *layers = NULL;
	int r = json_get_array(entry, "Layers", &layers, err);

	if (r == 0 && json_array_size(layers) > IMAGE_LAYER_LIMIT)
		r = varve_error_set(err, -VARVE_E_LIMIT, "more than %d layers", IMAGE_LAYER_LIMIT);
	for (size_t i = 0; r == 0 && i < json_array_size(layers); i++) {
		struct varve_descriptor layer;

		r = import_member(layout, store, json_array_get(layers, i), &layer, err);
		if (r == 0)
			r = type_of_layer(store, &layer, err);
		if (r == 0)
			json_append(descriptors, descriptor_to_json(&layer));
	}
	return r;
}

static int put_manifest(struct varve_store *store, const struct varve_descriptor *config,
			json_t *take_layers, struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *manifest = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_set(manifest, "schemaVersion", json_integer(2));
	json_set(manifest, "mediaType", json_text(VARVE_MEDIA_MANIFEST));
	json_set(manifest, "config", descriptor_to_json(config));
	json_set(manifest, "layers", take_layers);
	json_canonical(manifest, &text);
	(void)snprintf(ret->media_type, sizeof(ret->media_type), "%s", VARVE_MEDIA_MANIFEST);
	ret->size = text.len;
	return store_blob_put(store, buf_text(&text), text.len, &ret->digest, err);
}

/* A layer that is a plain tar is its own diff id; others are checked when they are unpacked. */
static int check_diff_ids(const struct image *image, struct varve_error *err)
{
	for (size_t i = 0; i < image->layer_count; i++) {
		const struct varve_layer *layer = &image->layers[i];

		if (str_equal(layer->blob.media_type, VARVE_MEDIA_LAYER) &&
		    !varve_digest_equal(&layer->blob.digest, &layer->diff_id))
			return varve_error_set(err, -VARVE_E_DIGEST,
					       "layer %zu is not what the config says", i + 1);
	}
	return 0;
}

int source_image_from_docker(const struct layout *layout, struct varve_store *store,
			     const struct image_choice *choice, struct image *ret,
			     struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *entry = NULL;
	CLEANUP(json_decrefp) json_t *layers = json_array();
	CLEANUP(image_release) struct image image = {0};
	struct varve_descriptor config = {0}, manifest;
	int r = choose(layout, choice->name, &entry, err);

	if (r == 0)
		r = import_member(layout, store, json_object_get(entry, "Config"), &config, err);
	if (r == 0)
		r = import_layers(layout, store, entry, layers, err);
	(void)snprintf(config.media_type, sizeof(config.media_type), "%s", VARVE_MEDIA_CONFIG);
	if (r == 0)
		r = put_manifest(store, &config, json_incref(layers), &manifest, err);
	if (r == 0)
		r = image_open_manifest(store, &manifest, &image, err);
	if (r == 0)
		r = check_diff_ids(&image, err);
	if (r < 0)
		return r;
	*ret = image;
	image = (struct image){0};
	return 0;
}
