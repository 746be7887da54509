/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/digest.h"

#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define SIZE_LIMIT (UINT64_C(1) << 53) /* above this a JSON number is not exact for all readers */

void manifest_release(struct manifest *manifest)
{
	buf_release(&manifest->bytes);
	json_decrefp(&manifest->document);
	free(manifest->children);
	*manifest = (struct manifest){0};
}

bool manifest_type_is_index(const char *media_type)
{
	return str_equal(media_type, VARVE_MEDIA_INDEX) ||
	       str_equal(media_type, MANIFEST_DOCKER_LIST);
}

bool manifest_type_is_known(const char *media_type)
{
	return manifest_type_is_index(media_type) || str_equal(media_type, VARVE_MEDIA_MANIFEST) ||
	       str_equal(media_type, DOCKER_MANIFEST);
}

/* Of old documents the type is optional; then their members tell. */
static const char *own_type(const json_t *document)
{
	const char *type = json_optional_string(document, "mediaType", NULL);

	if (type)
		return type;
	return json_object_get(document, "manifests") ? VARVE_MEDIA_INDEX : VARVE_MEDIA_MANIFEST;
}

static int check_kind(const json_t *document, const char *announced, struct varve_error *err)
{
	const char *type = own_type(document);
	bool index = json_object_get(document, "manifests") != NULL;
	bool image = json_object_get(document, "layers") || json_object_get(document, "config");
	uint64_t version = 0;
	int r = json_get_u64(document, "schemaVersion", &version, err);

	if (r < 0)
		return r;
	if (version == 1)
		return varve_error_set(
			err, -VARVE_E_FORMAT,
			"is an image of Docker's old schema 1, which is not supported");
	if (version != 2 || index == image)
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "is neither an image manifest nor an index");
	if (!manifest_type_is_known(type) || manifest_type_is_index(type) != index)
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "media type \"%.100s\" is not that of a manifest or index",
				       type);
	if (*announced && !str_equal(announced, type))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "was announced as \"%.100s\" but says \"%.100s\"", announced,
				       type);
	return 0;
}

static int add_child(struct manifest *m, const json_t *object, struct varve_error *err)
{
	struct varve_descriptor *child = &m->children[m->child_count];
	int r = descriptor_from_json(object, child, err);

	if (r < 0)
		return r;
	if (child->size > SIZE_LIMIT)
		return varve_error_set(err, -VARVE_E_LIMIT, "names a blob that is too large");
	m->child_count++;
	return 0;
}

static int read_children(struct manifest *m, struct varve_error *err)
{
	json_t *list = NULL, *config = NULL, *entry;
	size_t i;
	int r;

	r = json_get_array(m->document, m->is_index ? "manifests" : "layers", &list, err);
	if (r == 0 && !m->is_index)
		r = json_get_object(m->document, "config", &config, err);
	if (r < 0)
		return r;
	if (json_array_size(list) > MANIFEST_CHILDREN)
		return varve_error_set(err, -VARVE_E_LIMIT, "names more than %d blobs",
				       MANIFEST_CHILDREN);
	m->children = xcalloc(json_array_size(list) + 1, sizeof(*m->children));
	if (config)
		r = add_child(m, config, err);
	json_array_foreach(list, i, entry)
	{
		if (r == 0)
			r = add_child(m, entry, err);
	}
	return r;
}

int manifest_parse(struct buf *take_bytes, const char *media_type, struct manifest *ret,
		   struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest m = {.bytes = *take_bytes};
	int r;

	*take_bytes = (struct buf)BUF_INIT;
	r = json_parse(buf_text(&m.bytes), m.bytes.len, "manifest", &m.document, err);
	if (r < 0)
		return r;
	if (!json_is_object(m.document))
		return varve_error_set(err, -VARVE_E_FORMAT, "is no JSON object");
	r = check_kind(m.document, media_type, err);
	if (r < 0)
		return r;
	m.is_index = json_object_get(m.document, "manifests") != NULL;
	(void)snprintf(m.self.media_type, sizeof(m.self.media_type), "%s", own_type(m.document));
	digest_bytes(m.bytes.data, m.bytes.len, &m.self.digest);
	m.self.size = m.bytes.len;
	r = read_children(&m, err);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct manifest){0};
	return 0;
}

/* --- platforms -----------------------------------------------------------------------------------
 */

const char *manifest_platform(const json_t *entry, char buffer[MANIFEST_PLATFORM])
{
	const json_t *platform = json_object_get(entry, "platform");
	const json_t *annotations = json_object_get(entry, "annotations");
	const char *os = json_optional_string(platform, "os", "");
	const char *architecture = json_optional_string(platform, "architecture", "");
	const char *variant = json_optional_string(platform, "variant", "");

	buffer[0] = '\0';
	if (json_object_get(annotations, "vnd.docker.reference.type") || !*os || !*architecture ||
	    str_equal(os, "unknown"))
		return buffer;
	(void)snprintf(buffer, MANIFEST_PLATFORM, "%.20s/%.20s%s%.20s", os, architecture,
		       *variant ? "/" : "", variant);
	return buffer;
}

/* How well it fits: 2 the same, 1 but for a variant, 0 not. */
static int fits(const char *have, const char *want)
{
	size_t len = strlen(want);

	if (str_equal(have, want))
		return 2;
	return str_starts(have, want) && have[len] == '/';
}

static void list_platforms(const struct manifest *index, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char platform[MANIFEST_PLATFORM];
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(index->document, "manifests"), i, entry)
	{
		if (*manifest_platform(entry, platform))
			buf_addf(&text, "%s%s", text.len ? ", " : "", platform);
	}
	varve_error_hint(err, "there are: %.500s", text.len ? buf_text(&text) : "none");
}

int manifest_choose(const struct manifest *index, const char *platform,
		    struct varve_descriptor *ret, struct varve_error *err)
{
	char have[MANIFEST_PLATFORM];
	const json_t *entry;
	int best = 0;
	size_t i;

	json_array_foreach(json_object_get(index->document, "manifests"), i, entry)
	{
		int fit = fits(manifest_platform(entry, have), platform);

		if (fit > best) {
			*ret = index->children[i];
			best = fit;
		}
	}
	if (best > 0)
		return 0;
	varve_error_set(err, -VARVE_E_NOT_FOUND, "has no image for %.60s", platform);
	list_platforms(index, err);
	return -VARVE_E_NOT_FOUND;
}
