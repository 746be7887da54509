/* SPDX-License-Identifier: Apache-2.0
 * image sources: an image of this machine or of a registry, as the base of stages.
 *
 * Artifacts: "manifest.json", "config.json", then "layer-N" from the bottom, each with
 * {"diff-id":DIGEST,"media-type":TEXT} among its further members. Facts: {"config":{...} (what
 * containers are run with), "date":n, "manifest":DIGEST}. */
#include "source/source_image.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "image/image_document.h"
#include "source/source_kind.h"
#include "store/store.h"

#define DATE_LAST INT64_C(253402300799) /* end of the year 9999 */

/* --- pure parts --------------------------------------------------------------------------------
 */

const char *source_image_layer_type(const char *media_type)
{
	static const char *const types[][2] = {
		{VARVE_MEDIA_LAYER, VARVE_MEDIA_LAYER},
		{VARVE_MEDIA_LAYER_GZIP, VARVE_MEDIA_LAYER_GZIP},
		{VARVE_MEDIA_LAYER_ZSTD, VARVE_MEDIA_LAYER_ZSTD},
		{"application/vnd.docker.image.rootfs.diff.tar", VARVE_MEDIA_LAYER},
		{"application/vnd.docker.image.rootfs.diff.tar.gzip", VARVE_MEDIA_LAYER_GZIP},
		{"application/vnd.docker.image.rootfs.diff.tar.zstd", VARVE_MEDIA_LAYER_ZSTD},
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_equal(types[i][0], media_type))
			return types[i][1];
	return NULL;
}

/* "+01:00", "-0130" or "Z" in seconds. */
static int zone_of(const char *text)
{
	int hours = 0, minutes = 0;

	if ((*text != '+' && *text != '-') || sscanf(text + 1, "%2d:%2d", &hours, &minutes) < 1)
		return 0;
	return (*text == '-' ? -60 : 60) * (60 * hours + minutes);
}

int64_t source_image_date(const char *text)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t date;

	if (!rest)
		return 0;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	date = (int64_t)timegm(&tm) - zone_of(rest);
	return date < 0 || date > DATE_LAST ? 0 : date;
}

bool source_image_matches(const json_t *object, const char *platform)
{
	CLEANUP(json_decrefp) json_t *wanted = json_object();
	static const char *const members[] = {"os", "architecture", "variant"};

	image_platform_set(wanted, platform);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const char *value = json_optional_string(wanted, members[i], NULL);

		if (value && !str_equal(value, json_optional_string(object, members[i], "")))
			return false;
	}
	return true;
}

/* --- from a layout to lock entries -------------------------------------------------------------
 */

static void add_artifact(struct lock_source *ret, const char *name,
			 const struct varve_descriptor *blob, const struct varve_digest *diff_id)
{
	struct lock_artifact *artifact = lock_source_add(ret);
	char hex[VARVE_DIGEST_HEX];

	artifact->name = xstrdup(name);
	artifact->version = xstrdup("");
	artifact->architecture = xstrdup("");
	artifact->size = blob->size;
	artifact->sha256 = blob->digest;
	artifact->from = xasprintf("image:sha256/%s", varve_digest_hex(&blob->digest, hex));
	if (!diff_id)
		return;
	artifact->extra = json_object();
	json_set(artifact->extra, "diff-id", json_of_digest(diff_id));
	json_set(artifact->extra, "media-type",
		 json_text(source_image_layer_type(blob->media_type)));
}

static void add_facts(struct lock_source *ret, const struct image *image)
{
	json_t *config = json_object_get(image->config, "config");

	json_set(ret->facts, "config",
		 json_is_object(config) ? json_deep_copy(config) : json_object());
	json_set(ret->facts, "date",
		 json_integer(
			 source_image_date(json_optional_string(image->config, "created", ""))));
	json_set(ret->facts, "manifest", json_of_digest(&image->manifest_descriptor.digest));
}

static int fill(struct lock_source *ret, const struct image *image, struct varve_error *err)
{
	char name[32];

	add_artifact(ret, "manifest.json", &image->manifest_descriptor, NULL);
	add_artifact(ret, "config.json", &image->config_descriptor, NULL);
	for (size_t i = 0; i < image->layer_count; i++) {
		const struct varve_layer *layer = &image->layers[i];

		if (!source_image_layer_type(layer->blob.media_type))
			return varve_error_set(err, -VARVE_E_FORMAT,
					       "layer %zu is of type \"%s\", which cannot be read",
					       i + 1, layer->blob.media_type);
		(void)snprintf(name, sizeof(name), "layer-%zu", i + 1);
		add_artifact(ret, name, &layer->blob, &layer->diff_id);
	}
	add_facts(ret, image);
	return 0;
}

static int check_platform(const struct image *image, const char *platform, struct varve_error *err)
{
	if (source_image_matches(image->config, platform))
		return 0;
	return varve_error_set(err, -VARVE_E_RESOLVE, "the image is for %s/%s, not for %s",
			       json_optional_string(image->config, "os", "?"),
			       json_optional_string(image->config, "architecture", "?"), platform);
}

static int read_layout(const struct source_context *context, const struct image_target *target,
		       const char *platform, struct image *ret, struct varve_error *err)
{
	CLEANUP(layout_release) struct layout layout = LAYOUT_INIT;
	const struct image_choice choice = {target->name, platform};
	CLEANUP(free_ptr)
	char *path = *target->path == '/' ? xstrdup(target->path)
					  : path_join(context->directory, target->path);
	int r = layout_open(path, &layout, err);

	if (r < 0)
		return r;
	if (target->transport == IMAGE_DOCKER_ARCHIVE)
		return source_image_from_docker(&layout, context->store, &choice, ret, err);
	return source_image_from_oci(&layout, context->store, &choice, ret, err);
}

static int import(const struct source_context *context, const char *reference, const char *platform,
		  struct image *ret, struct varve_error *err)
{
	CLEANUP(image_target_release) struct image_target target = {0};
	int r = image_target_parse(reference, &target, err);

	return r < 0 ? r : read_layout(context, &target, platform, ret, err);
}

int source_image_resolve(struct source_context *context, const struct lock *lock,
			 struct lock_source *ret, struct varve_error *err)
{
	CLEANUP(image_release) struct image image = {0};
	const char *platform = json_optional_string(ret->spec, "platform", "");
	int r;

	(void)lock;
	if (source_image_is_remote(ret))
		r = source_image_from_registry(context, source_image_reference(ret), platform,
					       &image, err);
	else
		r = import(context, source_image_reference(ret), platform, &image, err);
	if (r == 0)
		r = check_platform(&image, platform, err);
	if (r == 0)
		r = fill(ret, &image, err);
	if (r < 0)
		varve_error_prefix(err, "image %s", source_image_reference(ret));
	return r;
}

/* --- what the lock says ------------------------------------------------------------------------
 */

/* That the artifacts are those of the image: the lock may have been edited. */
static int compare(const struct lock_source *source, const struct image *image,
		   struct varve_error *err)
{
	struct lock_source again = {.facts = json_object()};
	int r = fill(&again, image, err);
	size_t i;

	for (i = 0; r == 0 && i < source->count && i < again.count; i++)
		if (!varve_digest_equal(&source->artifacts[i].sha256, &again.artifacts[i].sha256))
			break;
	if (r == 0 && (i < source->count || source->count != again.count)) {
		r = varve_error_set(err, -VARVE_E_DIGEST,
				    "it is no longer the one that the lock names");
		varve_error_hint(err, "varve lock --upgrade %s takes what is there now",
				 source->name);
	}
	lock_source_release(&again);
	return r;
}

static int fetch(struct source_context *context, const struct lock_source *source,
		 struct varve_error *err)
{
	CLEANUP(image_release) struct image image = {0};
	bool remote = source_image_is_remote(source);
	int r;

	if (remote)
		r = source_image_open_locked(context, source, &image, err);
	else
		r = import(context, source_image_reference(source),
			   json_optional_string(source->spec, "platform", ""), &image, err);
	if (r == 0)
		r = compare(source, &image, err);
	if (r == 0 && remote)
		r = source_image_fetch_layers(context, source, &image, err);
	return r;
}

int source_image_fetch(struct source_context *context, const struct lock_source *source,
		       struct varve_error *err)
{
	int r = fetch(context, source, err);

	if (r < 0)
		varve_error_prefix(err, "image %s", source_image_reference(source));
	return r;
}

int source_image_fetch_config(struct source_context *context, const struct lock_source *source,
			      struct varve_error *err)
{
	CLEANUP(image_release) struct image image = {0};
	int r;

	if (!source_image_is_remote(source) || source_image_is_known(context, source))
		return 0;
	r = source_image_open_locked(context, source, &image, err);
	if (r == 0)
		r = compare(source, &image, err);
	if (r < 0)
		varve_error_prefix(err, "image %s", source_image_reference(source));
	return r;
}

int source_image_config(const struct source_context *context, const struct lock_source *source,
			json_t **ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = -VARVE_E_LOCK;

	for (size_t i = 0; i < source->count; i++)
		if (str_equal(source->artifacts[i].name, "config.json")) {
			r = store_blob_read(context->store, &source->artifacts[i].sha256,
					    IMAGE_CONFIG_LIMIT, &text, err);
			return r < 0 ? r
				     : json_parse(buf_text(&text), text.len, "config.json", ret,
						  err);
		}
	return varve_error_set(err, r, "source \"%s\" has no config in the lock", source->name);
}
