/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_document.h"

#include <stdlib.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "store/store.h"

/* Above this a JSON number is not exact for every reader (registry reference, 10.2). */
#define SIZE_LIMIT (UINT64_C(1) << 53)

void image_release(struct image *image)
{
	if (!image)
		return;
	json_decrefp(&image->manifest);
	json_decrefp(&image->config);
	free(image->layers);
	image->layers = NULL;
	image->layer_count = 0;
}

static int read_document(struct varve_store *store, const struct varve_descriptor *d, size_t limit,
			 json_t **ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *document = NULL;
	char name[VARVE_DIGEST_TEXT];
	int r;

	varve_digest_text(&d->digest, name);
	r = store_blob_read(store, &d->digest, limit, &text, err);
	if (r < 0)
		return r;
	if (text.len != d->size)
		return varve_error_set(err, -VARVE_E_DIGEST,
				       "%s has %zu bytes, its descriptor says %llu", name, text.len,
				       (unsigned long long)d->size);
	r = json_parse(buf_text(&text), text.len, name, &document, err);
	if (r < 0)
		return r;
	if (!json_is_object(document) || image_has_real(document))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "%s is no JSON object with integers only", name);
	*ret = steal_ptr(&document);
	return 0;
}

static bool is_manifest_type(const char *type)
{
	return str_equal(type, VARVE_MEDIA_MANIFEST) || str_equal(type, IMAGE_DOCKER_MANIFEST);
}

static bool is_config_type(const char *type)
{
	return str_equal(type, VARVE_MEDIA_CONFIG) || str_equal(type, IMAGE_DOCKER_CONFIG);
}

/* The same bytes must not pass for an index here and for a manifest elsewhere (CVE-2021-41190). */
static int check_manifest(const json_t *manifest, const struct varve_descriptor *d,
			  struct varve_error *err)
{
	const char *type = json_optional_string(manifest, "mediaType", d->media_type);
	uint64_t version = 0;
	int r;

	if (json_object_get(manifest, "manifests"))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "is an index of several images, not an image");
	r = json_get_u64(manifest, "schemaVersion", &version, err);
	if (r < 0)
		return r;
	if (version != 2)
		return varve_error_set(err, -VARVE_E_FORMAT, "schemaVersion is not 2");
	if (!is_manifest_type(type) || !str_equal(type, d->media_type))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "media type \"%.100s\" is not that of an image manifest",
				       type);
	return 0;
}

static int check_size(const struct varve_descriptor *d, struct varve_error *err)
{
	char text[VARVE_DIGEST_TEXT];

	if (d->size <= SIZE_LIMIT)
		return 0;
	return varve_error_set(err, -VARVE_E_LIMIT, "size of %s is too large",
			       varve_digest_text(&d->digest, text));
}

static int read_config(struct varve_store *store, struct image *image, struct varve_error *err)
{
	json_t *object;
	int r;

	r = json_get_object(image->manifest, "config", &object, err);
	if (r < 0)
		return r;
	r = descriptor_from_json(object, &image->config_descriptor, err);
	if (r < 0)
		return r;
	if (!is_config_type(image->config_descriptor.media_type))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "is no container image but an artifact of type \"%.100s\"",
				       image->config_descriptor.media_type);
	return read_document(store, &image->config_descriptor, IMAGE_CONFIG_LIMIT, &image->config,
			     err);
}

static int read_layer(const json_t *object, const json_t *diff_id, struct varve_layer *ret,
		      struct varve_error *err)
{
	const char *text = json_string_value(diff_id);
	int r;

	r = descriptor_from_json(object, &ret->blob, err);
	if (r < 0)
		return r;
	r = check_size(&ret->blob, err);
	if (r < 0)
		return r;
	if (!text || varve_digest_parse(text, &ret->diff_id) < 0)
		return varve_error_set(err, -VARVE_E_FORMAT, "a diff id is no sha256 digest");
	/* A manifest does not tell what is in a layer; it is one, so it counts as not empty. */
	ret->entry_count = 1;
	return 0;
}

static int read_layers(struct image *image, struct varve_error *err)
{
	json_t *layers, *rootfs, *diff_ids;
	size_t count;
	int r;

	r = json_get_array(image->manifest, "layers", &layers, err);
	if (r >= 0)
		r = json_get_object(image->config, "rootfs", &rootfs, err);
	if (r >= 0)
		r = json_get_array(rootfs, "diff_ids", &diff_ids, err);
	if (r < 0)
		return r;
	count = json_array_size(layers);
	if (count > IMAGE_LAYER_LIMIT)
		return varve_error_set(err, -VARVE_E_LIMIT, "has %zu layers, at most %d are read",
				       count, IMAGE_LAYER_LIMIT);
	if (json_array_size(diff_ids) != count)
		return varve_error_set(err, -VARVE_E_FORMAT, "has %zu layers but %zu diff ids",
				       count, json_array_size(diff_ids));
	image->layers = xcalloc(count ? count : 1, sizeof(*image->layers));
	for (size_t i = 0; i < count && r >= 0; i++) {
		r = read_layer(json_array_get(layers, i), json_array_get(diff_ids, i),
			       &image->layers[i], err);
		if (r < 0)
			varve_error_prefix(err, "layer %zu", i + 1);
	}
	image->layer_count = count;
	return r;
}

static int read_image(struct varve_store *store, struct image *image, struct varve_error *err)
{
	int r;

	r = read_document(store, &image->manifest_descriptor, IMAGE_MANIFEST_LIMIT,
			  &image->manifest, err);
	if (r < 0)
		return r;
	r = check_manifest(image->manifest, &image->manifest_descriptor, err);
	if (r < 0)
		return r;
	r = read_config(store, image, err);
	if (r < 0)
		return r;
	return read_layers(image, err);
}

int image_open_manifest(struct varve_store *store, const struct varve_descriptor *manifest,
			struct image *ret, struct varve_error *err)
{
	CLEANUP(image_release) struct image image = {.manifest_descriptor = *manifest};
	int r = read_image(store, &image, err);

	if (r < 0)
		return r;
	*ret = image;
	image = (struct image){0};
	return 0;
}

int image_open(struct varve_store *store, const char *name_or_digest, struct image *ret,
	       struct varve_error *err)
{
	struct varve_descriptor manifest;
	int r;

	r = store_index_find(store, name_or_digest, &manifest, err);
	if (r < 0)
		return r;
	r = image_open_manifest(store, &manifest, ret, err);
	if (r < 0)
		varve_error_prefix(err, "image %s", name_or_digest);
	return r;
}
