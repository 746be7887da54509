/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_document.h"

#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"

/* The depth is bounded by the parser. */
bool image_has_real(json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_real(value))
		return true;
	json_array_foreach(value, i, member)
	{
		if (image_has_real(member))
			return true;
	}
	json_object_foreach(value, key, member)
	{
		if (image_has_real(member))
			return true;
	}
	return false;
}

void image_platform_set(json_t *object, const char *platform)
{
	CLEANUP(free_ptr) char *text = xstrdup(platform ? platform : "linux");
	char *architecture = strchr(text, '/');
	char *variant = NULL;

	if (architecture) {
		*architecture++ = '\0';
		variant = strchr(architecture, '/');
	}
	if (variant)
		*variant++ = '\0';
	json_set(object, "os", json_text(text));
	json_set(object, "architecture", json_text(architecture ? architecture : "unknown"));
	if (variant)
		json_set(object, "variant", json_text(variant));
}

bool image_is_empty(const struct image_spec *spec)
{
	for (size_t i = 0; i < spec->layer_count; i++) {
		if (spec->layers[i].layer.entry_count > 0)
			return false;
	}
	return true;
}

void image_empty_layer(struct varve_layer *ret)
{
	static const char zeros[IMAGE_EMPTY_TAR];

	memset(ret, 0, sizeof(*ret));
	(void)snprintf(ret->blob.media_type, sizeof(ret->blob.media_type), "%s", VARVE_MEDIA_LAYER);
	digest_bytes(zeros, sizeof(zeros), &ret->blob.digest);
	ret->blob.size = sizeof(zeros);
	ret->diff_id = ret->blob.digest;
	ret->tar_size = sizeof(zeros);
	/* Counts as a layer, though the tar has none. */
	ret->entry_count = 1;
}
