/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_document.h"

#include <stdio.h>
#include <time.h>

/* RFC 3339 knows years of four digits only. */
#define YEAR_0 (-62167219200LL)
#define YEAR_9999 253402300799LL

const char *image_time(int64_t epoch, char buffer[IMAGE_TIME])
{
	struct tm tm = {0};
	time_t t = (time_t)epoch;

	if (t > YEAR_9999)
		t = YEAR_9999;
	if (t < YEAR_0)
		t = YEAR_0;
	(void)gmtime_r(&t, &tm);
	(void)snprintf(buffer, IMAGE_TIME, "%04u-%02u-%02uT%02u:%02u:%02uZ",
		       (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
		       (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
		       (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
	return buffer;
}

static json_t *time_json(int64_t epoch)
{
	char text[IMAGE_TIME];

	return json_text(image_time(epoch, text));
}

static json_t *history_entry(const struct image_layer *layer)
{
	json_t *entry = json_object();

	json_set(entry, "created", time_json(layer->epoch));
	if (layer->created_by)
		json_set(entry, "created_by", json_text(layer->created_by));
	if (layer->comment)
		json_set(entry, "comment", json_text(layer->comment));
	if (layer->layer.entry_count == 0)
		json_set(entry, "empty_layer", json_true());
	return entry;
}

static json_t *history_json(const struct image_spec *spec)
{
	struct image_layer empty = {.created_by = "nothing", .epoch = spec->epoch};
	json_t *history = spec->base_history ? json_deep_copy(spec->base_history) : json_array();

	for (size_t i = spec->base_count; i < spec->layer_count; i++)
		json_append(history, history_entry(&spec->layers[i]));
	if (image_is_empty(spec)) {
		image_empty_layer(&empty.layer);
		json_append(history, history_entry(&empty));
	}
	return history;
}

static json_t *rootfs_json(const struct image_spec *spec)
{
	json_t *rootfs = json_object();
	json_t *diff_ids = json_array();
	struct varve_layer empty;

	for (size_t i = 0; i < spec->layer_count; i++) {
		const struct varve_layer *layer = &spec->layers[i].layer;

		if (layer->entry_count > 0)
			json_append(diff_ids, json_of_digest(&layer->diff_id));
	}
	if (image_is_empty(spec)) {
		image_empty_layer(&empty);
		json_append(diff_ids, json_of_digest(&empty.diff_id));
	}
	json_set(rootfs, "type", json_text("layers"));
	json_set(rootfs, "diff_ids", diff_ids);
	return rootfs;
}

json_t *image_config_json(const struct image_spec *spec)
{
	json_t *config = json_object();

	json_set(config, "created", time_json(spec->epoch));
	image_platform_set(config, spec->platform);
	json_set(config, "config", spec->config ? json_deep_copy(spec->config) : json_object());
	json_set(config, "rootfs", rootfs_json(spec));
	json_set(config, "history", history_json(spec));
	return config;
}
