/* SPDX-License-Identifier: Apache-2.0
 * Images of registries. What the lock names is asked for by the manifest's digest: tags move. Its
 * layers stay at the registry until somebody looks at them. */
#include "source/source_image.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "store/store.h"

#define TRANSPORT "docker://"

const char *source_image_reference(const struct lock_source *source)
{
	return json_optional_string(source->spec, "reference", "");
}

bool source_image_is_remote(const struct lock_source *source)
{
	return str_equal(json_optional_string(source->spec, "kind", ""), "image") &&
	       str_starts(source_image_reference(source), TRANSPORT);
}

static const struct lock_artifact *artifact_of(const struct lock_source *source, const char *name)
{
	for (size_t i = 0; i < source->count; i++)
		if (str_equal(source->artifacts[i].name, name))
			return &source->artifacts[i];
	return NULL;
}

static bool is_here(const struct source_context *context, const struct lock_source *source,
		    const char *name)
{
	const struct lock_artifact *artifact = artifact_of(source, name);

	return artifact && varve_store_has_blob(context->store, &artifact->sha256, NULL);
}

bool source_image_is_known(const struct source_context *context, const struct lock_source *source)
{
	if (!source_image_is_remote(source))
		return source_is_fetched(context, source);
	return is_here(context, source, "manifest.json") && is_here(context, source, "config.json");
}

char *source_image_home(const struct lock_source *source, struct varve_digest *ret_manifest)
{
	const struct lock_artifact *manifest = artifact_of(source, "manifest.json");
	const char *name;

	if (!source_image_is_remote(source) || !manifest)
		return NULL;
	*ret_manifest = manifest->sha256;
	name = source_image_reference(source) + strlen(TRANSPORT);
	return xstrndup(name, strcspn(name, "@"));
}

/* Without the tag: "HOST:PORT/NAME:TAG" has it behind the last slash. */
static char *pinned_reference(const struct lock_source *source)
{
	struct varve_digest manifest;
	char digest[VARVE_DIGEST_TEXT];
	CLEANUP(free_ptr) char *home = source_image_home(source, &manifest);
	char *slash = home ? strrchr(home, '/') : NULL;
	char *tag = slash ? strchr(slash, ':') : NULL;

	if (!home)
		return NULL;
	if (tag)
		*tag = '\0';
	return xasprintf(TRANSPORT "%s@%s", home, varve_digest_text(&manifest, digest));
}

static const struct source_registries *need_registries(const struct source_context *context,
						       struct varve_error *err)
{
	if (context->offline)
		varve_error_set(err, -VARVE_E_LOCK, "--offline forbids to ask the registry for it");
	else if (!context->registries)
		varve_error_set(err, -VARVE_E_HOST, "registries cannot be asked here");
	return context->offline ? NULL : context->registries;
}

int source_image_from_registry(const struct source_context *context, const char *reference,
			       const char *platform, struct image *ret, struct varve_error *err)
{
	const struct source_registries *registries = need_registries(context, err);
	struct varve_descriptor manifest = {0};
	int r;

	if (!registries)
		return context->offline ? -VARVE_E_LOCK : -VARVE_E_HOST;
	r = registries->look(registries->cookie, reference, platform, &manifest, err);
	return r < 0 ? r : image_open_manifest(context->store, &manifest, ret, err);
}

/* What the manifest itself says it is. */
static int describe(const struct source_context *context, const struct lock_artifact *artifact,
		    struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *document = NULL;
	const char *type;
	int r;

	r = store_blob_read(context->store, &artifact->sha256, LAYOUT_DOCUMENT_LIMIT, &text, err);
	if (r == 0)
		r = json_parse(buf_text(&text), text.len, "manifest", &document, err);
	if (r < 0)
		return r;
	type = json_optional_string(document, "mediaType", VARVE_MEDIA_MANIFEST);
	if (strlen(type) >= sizeof(ret->media_type))
		return varve_error_set(err, -VARVE_E_FORMAT, "a media type is too long");
	*ret = (struct varve_descriptor){.digest = artifact->sha256, .size = text.len};
	memcpy(ret->media_type, type, strlen(type) + 1);
	return 0;
}

int source_image_open_locked(const struct source_context *context, const struct lock_source *source,
			     struct image *ret, struct varve_error *err)
{
	const struct lock_artifact *manifest = artifact_of(source, "manifest.json");
	CLEANUP(free_ptr) char *pinned = pinned_reference(source);
	struct varve_descriptor descriptor = {0};
	int r;

	if (!pinned || !manifest)
		return varve_error_set(err, -VARVE_E_LOCK, "the lock names no manifest of it");
	if (!source_image_is_known(context, source))
		return source_image_from_registry(
			context, pinned, json_optional_string(source->spec, "platform", ""), ret,
			err);
	r = describe(context, manifest, &descriptor, err);
	return r < 0 ? r : image_open_manifest(context->store, &descriptor, ret, err);
}

int source_image_fetch_layers(const struct source_context *context,
			      const struct lock_source *source, const struct image *image,
			      struct varve_error *err)
{
	CLEANUP(free_ptr)
	struct varve_descriptor *missing = xcalloc(image->layer_count + 1, sizeof(*missing));
	CLEANUP(free_ptr) char *pinned = pinned_reference(source);
	const struct source_registries *registries;
	size_t count = 0, i;

	for (i = 0; i < image->layer_count; i++)
		if (!varve_store_has_blob(context->store, &image->layers[i].blob.digest, NULL))
			missing[count++] = image->layers[i].blob;
	if (count == 0)
		return 0;
	registries = need_registries(context, err);
	if (!registries)
		return context->offline ? -VARVE_E_LOCK : -VARVE_E_HOST;
	return registries->fetch(registries->cookie, pinned, missing, count, err);
}
