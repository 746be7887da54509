/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_document.h"

#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

/* Documents come from anywhere: control characters must not reach a terminal. */
static void add_safe(struct buf *out, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		bool c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f;

		if (*c < 0x20 || *c == 0x7f || c1)
			buf_addc(out, '?');
		else
			buf_add(out, c, 1);
		c += c1;
	}
}

static void add_size(struct buf *out, uint64_t bytes)
{
	static const char *const units[] = {"kB", "MB", "GB", "TB"};
	uint64_t tenths = bytes / 100;
	size_t unit = 0;

	if (bytes < 1000) {
		buf_addf(out, "%llu B", (unsigned long long)bytes);
		return;
	}
	while (tenths >= 10000 && unit + 1 < ARRAY_SIZE(units)) {
		tenths /= 1000;
		unit++;
	}
	buf_addf(out, "%llu.%llu %s", (unsigned long long)tenths / 10,
		 (unsigned long long)tenths % 10, units[unit]);
}

static uint64_t total_size(const struct image *image)
{
	uint64_t total = 0;

	for (size_t i = 0; i < image->layer_count; i++)
		total += image->layers[i].blob.size;
	return total;
}

/* "linux/arm64/v8" */
static void add_platform(struct buf *out, const json_t *config)
{
	const char *variant = json_optional_string(config, "variant", NULL);

	add_safe(out, json_optional_string(config, "os", "unknown"));
	buf_addc(out, '/');
	add_safe(out, json_optional_string(config, "architecture", "unknown"));
	if (variant) {
		buf_addc(out, '/');
		add_safe(out, variant);
	}
}

static void print_head(const struct image *image, const char *name, struct buf *out)
{
	char digest[VARVE_DIGEST_TEXT];

	add_safe(out, name);
	buf_addf(out, "\n  digest    %s\n  platform  ",
		 varve_digest_text(&image->manifest_descriptor.digest, digest));
	add_platform(out, image->config);
	buf_addstr(out, "\n  created   ");
	add_safe(out, json_optional_string(image->config, "created", "unknown"));
	buf_addstr(out, "\n  size      ");
	add_size(out, total_size(image));
	buf_addf(out, " in %zu layer%s\n", image->layer_count, image->layer_count == 1 ? "" : "s");
}

static void add_value(struct buf *out, const json_t *value)
{
	char *text;

	if (json_is_string(value)) {
		add_safe(out, json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_COMPACT);
	add_safe(out, text ? text : "?");
	free_ptr(&text);
}

/* "  key       value"; an empty key continues the one above. */
static void print_member(struct buf *out, const char *key, const json_t *value)
{
	size_t len = strlen(key);

	buf_addstr(out, "  ");
	add_safe(out, key);
	buf_addf(out, "%*s", len < 12 ? (int)(14 - len) : 2, "");
	add_value(out, value);
	buf_addc(out, '\n');
}

static void print_config_member(struct buf *out, const char *key, const json_t *value)
{
	const json_t *item;
	size_t i;

	if (strcmp(key, "Env") != 0) {
		print_member(out, key, value);
		return;
	}
	json_array_foreach(value, i, item) print_member(out, i == 0 ? key : "", item);
}

/* Members of labels and volumes on lines of their own: they are read by people here. */
static void print_object(struct buf *out, const char *title, json_t *object)
{
	const char *key;
	json_t *value;

	if (json_object_size(object) == 0)
		return;
	buf_addf(out, "\n%s\n", title);
	json_object_foreach(object, key, value) print_config_member(out, key, value);
}

static json_t *sorted(const json_t *object)
{
	char *dump = json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT);
	json_t *copy = dump ? json_loads(dump, 0, NULL) : NULL;

	free_ptr(&dump);
	return copy;
}

static void print_config(const struct image *image, struct buf *out)
{
	CLEANUP(json_decrefp) json_t *config = sorted(json_object_get(image->config, "config"));
	CLEANUP(json_decrefp)
	json_t *notes = sorted(json_object_get(image->manifest, "annotations"));
	CLEANUP(json_decrefp) json_t *labels = sorted(json_object_get(config, "Labels"));

	if (config)
		(void)json_object_del(config, "Labels");
	print_object(out, "config", config);
	print_object(out, "labels", labels);
	print_object(out, "annotations", notes);
}

static void print_layer(const struct varve_layer *layer, const char *text, struct buf *out)
{
	CLEANUP(buf_release) struct buf size = BUF_INIT;
	char hex[VARVE_DIGEST_HEX] = "-";

	if (layer) {
		varve_digest_hex(&layer->blob.digest, hex);
		add_size(&size, layer->blob.size);
	}
	buf_addf(out, "  %-12.12s  %10s  ", hex, buf_text(&size));
	add_safe(out, text);
	buf_addc(out, '\n');
}

/* History and layers are two lists of the spec that belong together; foreign images may lack the
 * first. */
static void print_layers(const struct image *image, struct buf *out)
{
	const json_t *history = json_object_get(image->config, "history");
	const json_t *entry;
	size_t i, next = 0;

	buf_addstr(out, "\nlayers, bottom first\n");
	json_array_foreach(history, i, entry)
	{
		const char *text = json_optional_string(entry, "created_by", "");
		bool empty = json_is_true(json_object_get(entry, "empty_layer"));

		if (empty)
			print_layer(NULL, text, out);
		else if (next < image->layer_count)
			print_layer(&image->layers[next++], text, out);
	}
	while (next < image->layer_count)
		print_layer(&image->layers[next++], "", out);
}

void image_print(const struct image *image, const char *name, struct buf *out)
{
	print_head(image, name, out);
	print_config(image, out);
	print_layers(image, out);
}

static json_t *layer_json(const struct varve_layer *layer)
{
	json_t *object = json_object();

	json_set(object, "mediaType", json_text(layer->blob.media_type));
	json_set(object, "digest", json_of_digest(&layer->blob.digest));
	json_set(object, "size", json_integer((json_int_t)layer->blob.size));
	json_set(object, "diffId", json_of_digest(&layer->diff_id));
	return object;
}

static json_t *member_or(const json_t *object, const char *key, json_t *take_otherwise)
{
	json_t *value = json_object_get(object, key);

	if (!value || json_typeof(value) != json_typeof(take_otherwise))
		return take_otherwise;
	json_decref(take_otherwise);
	return json_deep_copy(value);
}

json_t *image_inspect_json(const struct image *image, const char *name)
{
	CLEANUP(buf_release) struct buf platform = BUF_INIT;
	json_t *object = json_object();
	json_t *layers = json_array();

	for (size_t i = 0; i < image->layer_count; i++)
		json_append(layers, layer_json(&image->layers[i]));
	add_platform(&platform, image->config);
	json_set(object, "name", json_text(name));
	json_set(object, "digest", json_of_digest(&image->manifest_descriptor.digest));
	json_set(object, "mediaType", json_text(image->manifest_descriptor.media_type));
	json_set(object, "platform", json_text(buf_text(&platform)));
	json_set(object, "created", member_or(image->config, "created", json_text("")));
	json_set(object, "size", json_integer((json_int_t)total_size(image)));
	json_set(object, "config", member_or(image->config, "config", json_object()));
	json_set(object, "layers", layers);
	json_set(object, "history", member_or(image->config, "history", json_array()));
	json_set(object, "annotations", member_or(image->manifest, "annotations", json_object()));
	return object;
}
