/* SPDX-License-Identifier: Apache-2.0 */
#include "base/index.h"

#include <stdio.h>
#include <string.h>
#include <varve/descriptor.h>
#include "base/buf.h"
#include "base/cleanup.h"

json_t *index_new(void)
{
	json_t *index = json_object();

	json_set(index, "schemaVersion", json_integer(2));
	json_set(index, "mediaType", json_text(VARVE_MEDIA_INDEX));
	json_set(index, "manifests", json_array());
	return index;
}

const char *index_entry_name(const json_t *entry)
{
	const json_t *annotations = json_object_get(entry, "annotations");

	return json_string_value(json_object_get(annotations, INDEX_REF_NAME));
}

bool index_entry_is_referrers(const json_t *entry, struct varve_digest *ret)
{
	const char *name = index_entry_name(entry);
	struct varve_digest digest;
	char hex[VARVE_DIGEST_HEX];

	if (!name || !str_starts(name, "sha256-"))
		return false;
	(void)snprintf(hex, sizeof(hex), "%s", name + strlen("sha256-"));
	if (varve_digest_parse_hex(hex, ret ? ret : &digest) < 0)
		return false;
	name += strlen("sha256-") + strlen(hex);
	return !*name || (*name == '.' && name[1]);
}

bool index_replace(json_t *index, const char *name, json_t *take_entry)
{
	CLEANUP(json_decrefp) json_t *entry = take_entry;
	json_t *manifests = json_object_get(index, "manifests");
	bool placed = !entry, changed = false;
	size_t i = 0;

	while (i < json_array_size(manifests)) {
		const json_t *old = json_array_get(manifests, i);

		if (!str_equal(index_entry_name(old), name)) {
			i++;
		} else if (placed) {
			(void)json_array_remove(manifests, i);
			changed = true;
		} else {
			changed |= !json_equal(old, entry);
			(void)json_array_set(manifests, i++, entry);
			placed = true;
		}
	}
	if (placed)
		return changed;
	json_append(manifests, json_incref(entry));
	return true;
}
