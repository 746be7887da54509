/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_index.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/index.h"
#include "base/strv.h"
#include "image/image_document.h"

int image_index_check(json_t *index, struct varve_error *err)
{
	json_t *manifests;
	uint64_t version = 0;
	int r;

	if (!json_is_object(index))
		return varve_error_set(err, -VARVE_E_FORMAT, "is no JSON object");
	r = json_get_u64(index, "schemaVersion", &version, err);
	if (r < 0)
		return r;
	r = json_get_array(index, "manifests", &manifests, err);
	if (r < 0)
		return r;
	if (version != 2 || image_has_real(index))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "is no image index (schemaVersion 2, integers only)");
	return 0;
}

static void copy_member(json_t *to, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);

	if (json_is_string(value))
		json_set(to, key, json_incref(value));
}

static json_t *new_entry(const struct image *image, const char *name)
{
	json_t *entry = descriptor_to_json(&image->manifest_descriptor);
	json_t *annotations = json_object();
	json_t *platform = json_object();

	copy_member(platform, image->config, "architecture");
	copy_member(platform, image->config, "os");
	copy_member(platform, image->config, "variant");
	json_set(annotations, INDEX_REF_NAME, json_text(name));
	json_set(entry, "annotations", annotations);
	json_set(entry, "platform", platform);
	return entry;
}

bool image_index_put(json_t *index, const struct image *image, const char *name)
{
	return index_replace(index, name, new_entry(image, name));
}

static int not_found(const json_t *manifests, const char *name, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(free_ptr) char *list = NULL;
	const json_t *entry;
	size_t i;

	json_array_foreach(manifests, i, entry)
	{
		strv_add(&names,
			 index_entry_name(entry) ? index_entry_name(entry) : "(without a name)");
	}
	if (name)
		varve_error_set(err, -VARVE_E_NOT_FOUND, "there is no image \"%.200s\" in it",
				name);
	else
		varve_error_set(err, -VARVE_E_NOT_FOUND, "it has %zu images; a name is needed",
				names.count);
	list = strv_join(&names, ", ");
	if (names.count > 0)
		varve_error_hint(err, "there are: %.500s", list);
	return -VARVE_E_NOT_FOUND;
}

int image_index_find(const json_t *index, const char *name, struct varve_descriptor *ret,
		     struct varve_error *err)
{
	const json_t *manifests = json_object_get(index, "manifests");
	const json_t *entry, *found = NULL;
	size_t count = 0, i;

	json_array_foreach(manifests, i, entry)
	{
		bool fits = name ? str_equal(index_entry_name(entry), name)
				 : !index_entry_is_referrers(entry, NULL);

		count += fits;
		if (fits)
			found = entry;
	}
	if (!name && count != 1)
		found = NULL;
	return found ? descriptor_from_json(found, ret, err) : not_found(manifests, name, err);
}
