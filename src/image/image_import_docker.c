/* SPDX-License-Identifier: Apache-2.0
 * docker-archive (what `docker save` writes): manifest.json names a config and, bottom first, the
 * layers' tars. */
#include <stdio.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/path.h"
#include "image/image_document.h"
#include "image/image_import.h"
#include "store/store.h"

static bool has_tag(const json_t *entry, const char *name)
{
	const json_t *tag;
	size_t i;

	json_array_foreach(json_object_get(entry, "RepoTags"), i, tag)
	{
		if (str_equal(json_string_value(tag), name))
			return true;
	}
	return false;
}

static int find_entry(const json_t *manifest, const char *name, const json_t **ret,
		      struct varve_error *err)
{
	const json_t *entry;
	size_t i;

	*ret = json_array_size(manifest) == 1 && !name ? json_array_get(manifest, 0) : NULL;
	json_array_foreach(manifest, i, entry)
	{
		if (name && has_tag(entry, name))
			*ret = entry;
	}
	if (*ret)
		return 0;
	return varve_error_set(err, -VARVE_E_NOT_FOUND,
			       name ? "there is no image \"%.200s\" in it"
				    : "it has several images (or none); a name is needed%s",
			       name ? name : "");
}

static json_t *describe(const struct image_member *member, const char *media_type)
{
	struct varve_descriptor d = {.digest = member->digest, .size = member->size};

	(void)snprintf(d.media_type, sizeof(d.media_type), "%s", media_type);
	return descriptor_to_json(&d);
}

static int add_layer(const struct image_members *members, const json_t *name, const json_t *diff_id,
		     json_t *layers, struct varve_error *err)
{
	const char *text = json_string_value(name);
	const struct image_member *member = text ? image_members_find(members, text) : NULL;
	struct varve_digest want;

	if (!member)
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "manifest.json names %.200s, which "
				       "is not there",
				       text ? text : "no layer");
	if (!json_is_string(diff_id) || varve_digest_parse(json_string_value(diff_id), &want) < 0)
		return varve_error_set(err, -VARVE_E_FORMAT, "the config has no diff id for %.200s",
				       text);
	if (!member->gzip && !varve_digest_equal(&want, &member->digest))
		return varve_error_set(err, -VARVE_E_DIGEST, "%.200s is not what the config says",
				       text);
	json_append(layers,
		    describe(member, member->gzip ? VARVE_MEDIA_LAYER_GZIP : VARVE_MEDIA_LAYER));
	return 0;
}

static int add_layers(const struct image_members *members, const json_t *entry,
		      const json_t *config, json_t *layers, struct varve_error *err)
{
	json_t *names = NULL, *rootfs = NULL, *diff_ids = NULL, *name;
	size_t i;
	int r = json_get_array(entry, "Layers", &names, err);

	if (r == 0)
		r = json_get_object(config, "rootfs", &rootfs, err);
	if (r == 0)
		r = json_get_array(rootfs, "diff_ids", &diff_ids, err);
	if (r < 0)
		return r;
	if (json_array_size(names) != json_array_size(diff_ids) ||
	    json_array_size(names) > IMAGE_LAYER_LIMIT)
		return varve_error_set(err, -VARVE_E_FORMAT, "has %zu layers but %zu diff ids",
				       json_array_size(names), json_array_size(diff_ids));
	json_array_foreach(names, i, name)
	{
		if (r == 0)
			r = add_layer(members, name, json_array_get(diff_ids, i), layers, err);
	}
	return r;
}

static int put_manifest(struct varve_store *store, json_t *config, json_t *layers,
			struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *document = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_set(document, "schemaVersion", json_integer(2));
	json_set(document, "mediaType", json_text(VARVE_MEDIA_MANIFEST));
	json_set(document, "config", config);
	json_set(document, "layers", layers);
	json_canonical(document, &text);
	(void)snprintf(ret->media_type, sizeof(ret->media_type), "%s", VARVE_MEDIA_MANIFEST);
	ret->size = text.len;
	return store_blob_put(store, text.data, text.len, &ret->digest, err);
}

int image_import_docker(struct varve_store *store, const struct image_members *members,
			const char *name, struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *manifest = NULL;
	CLEANUP(json_decrefp) json_t *config = NULL;
	CLEANUP(json_decrefp) json_t *layers = json_array();
	const struct image_member *member;
	const json_t *entry = NULL;
	const char *config_name = NULL;
	int r = image_members_json(store, members, "manifest.json", &manifest, err);

	if (r == 0)
		r = find_entry(manifest, name, &entry, err);
	if (r == 0)
		r = json_get_string(entry, "Config", &config_name, err);
	if (r == 0)
		r = image_members_json(store, members, config_name, &config, err);
	if (r == 0)
		r = add_layers(members, entry, config, layers, err);
	if (r < 0)
		return r;
	member = image_members_find(members, config_name);
	return put_manifest(store, describe(member, VARVE_MEDIA_CONFIG), json_incref(layers), ret,
			    err);
}
