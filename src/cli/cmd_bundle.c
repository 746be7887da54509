/* SPDX-License-Identifier: Apache-2.0
 * varve bundle inspect, varve bundle import. */
#include "cli/cmd_bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/path.h"
#include "cli/cli_options.h"
#include "base/size_text.h"

int bundle_open_named(const char *text, struct layout *layout, struct bundle *bundle,
		      struct varve_error *err)
{
	CLEANUP(image_target_release) struct image_target target = {0};
	const char *path = text;
	int r;

	if (str_starts(text, "oci:") || str_starts(text, "oci-archive:")) {
		r = image_target_parse(text, &target, err);
		if (r < 0)
			return r;
		path = target.path;
	}
	r = layout_open(path, layout, err);
	return r < 0 ? r : bundle_open(layout, bundle, err);
}

/* --- inspect -----------------------------------------------------------------------------------
 */

static const char *kind_of(const struct varve_descriptor *blob)
{
	if (str_equal(blob->media_type, VARVE_BUNDLE_INPUTS))
		return "inputs";
	if (str_equal(blob->media_type, VARVE_BUNDLE_ARTIFACT))
		return "artifact";
	return str_equal(blob->media_type, VARVE_BUNDLE_RECORD) ? "record" : "layer";
}

static json_t *to_json(const struct bundle *bundle)
{
	json_t *object = json_deep_copy(bundle->config), *blobs = json_array();

	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_blob *blob = &bundle->blobs[i];
		json_t *entry = descriptor_to_json(&blob->descriptor);

		json_set(entry, "kind", json_text(kind_of(&blob->descriptor)));
		json_set(entry, "title", json_text(blob->title));
		json_append(blobs, entry);
	}
	json_set(object, "digest", json_of_digest(&bundle->manifest.digest));
	json_set(object, "blobs", blobs);
	return object;
}

/* Text of a stranger's file for a terminal. */
static void print_safe(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static void print_row(const char *name, const char *text)
{
	printf("%-10s", name);
	print_safe(text);
	putchar('\n');
}

static void print_list(const char *name, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		print_row(i == 0 ? name : "", json_string_value(json_array_get(list, i)));
}

static void print_text(const struct bundle *bundle)
{
	char digest[VARVE_DIGEST_TEXT], size[16];
	uint64_t total = 0;

	print_row("bundle", json_optional_string(bundle->config, "name", ""));
	print_row("digest", varve_digest_text(&bundle->manifest.digest, digest));
	print_row("recipe", json_optional_string(bundle->config, "recipe", ""));
	print_row("platform", json_optional_string(bundle->config, "platform", ""));
	print_list("options", json_object_get(bundle->config, "settings"));
	print_list("images", json_object_get(bundle->config, "images"));
	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_blob *blob = &bundle->blobs[i];

		total += blob->descriptor.size;
		printf("%-9s %10s  ", kind_of(&blob->descriptor),
		       size_text(blob->descriptor.size, size));
		print_safe(blob->title);
		putchar('\n');
	}
	printf("%zu blobs, %s\n", bundle->count, size_text(total, size));
}

int cmd_bundle_inspect(struct cli *cli, struct varve_error *err)
{
	CLEANUP(layout_release) struct layout layout = LAYOUT_INIT;
	CLEANUP(bundle_release) struct bundle bundle = {0};
	int r = bundle_open_named(cli->arguments.items[0], &layout, &bundle, err);

	if (r < 0)
		return r;
	if (cli->values.json) {
		CLEANUP(json_decrefp) json_t *object = to_json(&bundle);
		CLEANUP(buf_release) struct buf text = BUF_INIT;

		json_canonical(object, &text);
		puts(buf_text(&text));
	} else {
		print_text(&bundle);
	}
	return 0;
}

/* --- import ------------------------------------------------------------------------------------
 */

/* Every artifact of the sources that the bundle is for is in the store now, and gc spares them. */
static int keep_sources(struct session *session, const struct bundle *bundle, const char *directory,
			struct varve_error *err)
{
	const char *lock_path = json_optional_string(bundle->config, "lock", "");
	const json_t *list = json_object_get(bundle->config, "sources");
	CLEANUP(free_ptr) char *path = path_join(directory, lock_path);
	struct source_context context = {
		.store = session->store, .directory = directory, .offline = true};
	int r = 0;

	if (*lock_path)
		r = lock_read(path, &session->lock, err);
	for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		const char *name = json_optional_string(entry, "name", "");
		const struct lock_source *source;
		struct varve_digest spec;

		r = json_get_digest(entry, "spec", &spec, err);
		if (r < 0)
			return r;
		source = lock_find(&session->lock, name, &spec);
		if (!source)
			return varve_error_set(err, -VARVE_E_LOCK,
					       "the bundle's lock lacks source \"%s\"", name);
		if (!source_is_fetched(&context, source))
			return varve_error_set(err, -VARVE_E_FORMAT,
					       "the bundle lacks artifacts of source \"%s\"", name);
		r = source_fetch(&context, &source, 1, err);
	}
	return r < 0 ? r : 0;
}

static void print_next(const struct bundle *bundle, const char *directory)
{
	const json_t *settings = json_object_get(bundle->config, "settings");
	const json_t *images = json_object_get(bundle->config, "images");

	printf("varve build --offline %s/%s", directory,
	       json_optional_string(bundle->config, "recipe", ""));
	for (size_t i = 0; i < json_array_size(settings); i++)
		printf(" --set '%s'", json_string_value(json_array_get(settings, i)));
	for (size_t i = 0; i < json_array_size(images); i++)
		printf(" --image %s", json_string_value(json_array_get(images, i)));
	putchar('\n');
}

int cmd_bundle_import(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(layout_release) struct layout layout = LAYOUT_INIT;
	CLEANUP(bundle_release) struct bundle bundle = {0};
	const char *directory = cli->arguments.items[1];
	char digest[VARVE_DIGEST_TEXT];
	int r = bundle_open_named(cli->arguments.items[0], &layout, &bundle, err);

	if (r == 0)
		r = session_open_store(&session, cli, err);
	if (r == 0)
		r = bundle_import(&layout, &bundle, session.store, cli->values.layers, err);
	if (r == 0)
		r = bundle_unpack(&bundle, session.store, directory, err);
	if (r == 0)
		r = keep_sources(&session, &bundle, directory, err);
	if (r < 0)
		return r;
	printf("%s\n", varve_digest_text(&bundle.manifest.digest, digest));
	print_next(&bundle, directory);
	return 0;
}
