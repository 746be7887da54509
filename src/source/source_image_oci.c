/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source_image.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/index.h"
#include "image/image_document.h"
#include "image/image_index.h"
#include "store/store.h"

#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"

enum { NESTED_LIMIT = 4 };

static const char *name_of(const json_t *entry)
{
	return json_optional_string(json_object_get(entry, "annotations"), INDEX_REF_NAME, "");
}

static bool is_index_type(const char *type)
{
	return str_equal(type, VARVE_MEDIA_INDEX) || str_equal(type, DOCKER_LIST);
}

/* Some entries say their platform, some do not; those that do must fit. */
static bool fits(const json_t *entry, const struct image_choice *choice)
{
	const json_t *platform = json_object_get(entry, "platform");

	if (choice->name && !str_equal(name_of(entry), choice->name))
		return false;
	if (!choice->name && index_entry_is_referrers(entry, NULL))
		return false;
	return !json_is_object(platform) || source_image_matches(platform, choice->platform);
}

static int no_choice(const json_t *manifests, const struct image_choice *choice, size_t fitting,
		     struct varve_error *err)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT;

	for (size_t i = 0; i < json_array_size(manifests); i++)
		if (*name_of(json_array_get(manifests, i)))
			buf_addf(&names, "%s%s", names.len ? ", " : "",
				 name_of(json_array_get(manifests, i)));
	if (fitting > 1)
		varve_error_set(err, -VARVE_E_RESOLVE, "there are %zu images, give a name",
				fitting);
	else
		varve_error_set(err, -VARVE_E_RESOLVE, "there is no image%s%s for %s",
				choice->name ? " " : "", choice->name ? choice->name : "",
				choice->platform);
	if (names.len > 0)
		varve_error_hint(err, "names there: %.300s", buf_text(&names));
	return -VARVE_E_RESOLVE;
}

static int choose(json_t *index, const struct image_choice *choice, struct varve_descriptor *ret,
		  struct varve_error *err)
{
	json_t *manifests = NULL;
	const json_t *found = NULL;
	size_t fitting = 0;
	int r = image_index_check(index, err);

	if (r == 0)
		r = json_get_array(index, "manifests", &manifests, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < json_array_size(manifests); i++) {
		const json_t *entry = json_array_get(manifests, i);

		if (!fits(entry, choice))
			continue;
		/* The same image under another name is no second one. */
		if (!found ||
		    !json_equal(json_object_get(found, "digest"), json_object_get(entry, "digest")))
			fitting++;
		found = entry;
	}
	if (fitting != 1)
		return no_choice(manifests, choice, fitting, err);
	return descriptor_from_json(found, ret, err);
}

static int read_index(const struct layout *layout, struct varve_store *store,
		      const struct varve_descriptor *at, json_t **ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_descriptor got;
	char name[LAYOUT_BLOB];
	int r;

	if (!at) {
		r = layout_read(layout, "index.json", LAYOUT_DOCUMENT_LIMIT, &text, err);
		return r < 0 ? r : json_parse(buf_text(&text), text.len, "index.json", ret, err);
	}
	layout_blob(&at->digest, name);
	r = layout_import(layout, name, store, &at->digest, &got, err);
	if (r == 0)
		r = store_blob_read(store, &at->digest, LAYOUT_DOCUMENT_LIMIT, &text, err);
	return r < 0 ? r : json_parse(buf_text(&text), text.len, name, ret, err);
}

/* From index.json down to a manifest. */
static int find_manifest(const struct layout *layout, struct varve_store *store,
			 const struct image_choice *choice, struct varve_descriptor *ret,
			 struct varve_error *err)
{
	struct image_choice inner = *choice;
	bool nested = false;
	int r;

	for (int depth = 0; depth < NESTED_LIMIT; depth++) {
		CLEANUP(json_decrefp) json_t *index = NULL;

		r = read_index(layout, store, nested ? ret : NULL, &index, err);
		if (r == 0)
			r = choose(index, &inner, ret, err);
		if (r < 0 || !is_index_type(ret->media_type))
			return r;
		nested = true;
		inner.name = NULL; /* names are in the outermost index only */
	}
	return varve_error_set(err, -VARVE_E_LIMIT, "indexes are nested more than %d deep",
			       NESTED_LIMIT);
}

static int import_blob(const struct layout *layout, struct varve_store *store,
		       const struct varve_descriptor *blob, struct varve_error *err)
{
	struct varve_descriptor got = {0};
	char name[LAYOUT_BLOB];
	int r = layout_import(layout, layout_blob(&blob->digest, name), store, &blob->digest, &got,
			      err);

	if (r == 0 && got.size != blob->size)
		r = varve_error_set(err, -VARVE_E_DIGEST,
				    "%s has %llu bytes, its descriptor says %llu", name,
				    (unsigned long long)got.size, (unsigned long long)blob->size);
	return r;
}

/* The config has to be in the store before the image can be read whole. */
static int import_config(const struct layout *layout, struct varve_store *store,
			 const struct varve_descriptor *manifest, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *document = NULL;
	struct varve_descriptor config = {0};
	json_t *object = NULL;
	int r = import_blob(layout, store, manifest, err);

	if (r == 0)
		r = store_blob_read(store, &manifest->digest, LAYOUT_DOCUMENT_LIMIT, &text, err);
	if (r == 0)
		r = json_parse(buf_text(&text), text.len, "manifest", &document, err);
	if (r == 0)
		r = json_get_object(document, "config", &object, err);
	if (r == 0)
		r = descriptor_from_json(object, &config, err);
	return r < 0 ? r : import_blob(layout, store, &config, err);
}

int source_image_from_oci(const struct layout *layout, struct varve_store *store,
			  const struct image_choice *choice, struct image *ret,
			  struct varve_error *err)
{
	CLEANUP(image_release) struct image image = {0};
	struct varve_descriptor manifest = {0};
	int r = find_manifest(layout, store, choice, &manifest, err);

	if (r == 0)
		r = import_config(layout, store, &manifest, err);
	if (r == 0)
		r = image_open_manifest(store, &manifest, &image, err);
	for (size_t i = 0; i < image.layer_count && r == 0; i++)
		r = import_blob(layout, store, &image.layers[i].blob, err);
	if (r < 0)
		return r;
	*ret = image;
	image = (struct image){0};
	return 0;
}
