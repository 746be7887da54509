/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/index.h"
#include "cli/cli_options.h"
#include "cli/session.h"
#include "base/size_text.h"

#define MANIFEST_DOCKER "application/vnd.docker.distribution.manifest.v2+json"

struct row {
	const char *name;
	char digest[VARVE_DIGEST_TEXT];
	char platform[64];
	size_t layers;
	uint64_t size;
};

/* An index: what it names may be here in part only. */
static int read_other(const json_t *entry, struct row *ret)
{
	snprintf(ret->platform, sizeof(ret->platform), "index");
	ret->size = (uint64_t)json_integer_value(json_object_get(entry, "size"));
	ret->layers = 0;
	return 0;
}

static int read_row(struct session *session, const json_t *entry, struct row *ret,
		    struct varve_error *err)
{
	CLEANUP(image_release) struct image image = {0};
	const json_t *annotations = json_object_get(entry, "annotations");
	size_t i;
	int r;

	ret->name = json_optional_string(annotations, "org.opencontainers.image.ref.name", "");
	snprintf(ret->digest, sizeof(ret->digest), "%s", json_optional_string(entry, "digest", ""));
	if (!str_equal(json_optional_string(entry, "mediaType", ""), VARVE_MEDIA_MANIFEST) &&
	    !str_equal(json_optional_string(entry, "mediaType", ""), MANIFEST_DOCKER))
		return read_other(entry, ret);
	r = image_open(session->store, ret->digest, &image, err);
	if (r < 0)
		return r;
	snprintf(ret->platform, sizeof(ret->platform), "%.20s/%.20s",
		 json_optional_string(image.config, "os", "?"),
		 json_optional_string(image.config, "architecture", "?"));
	ret->layers = image.layer_count;
	ret->size = image.config_descriptor.size;
	for (i = 0; i < image.layer_count; i++)
		ret->size += image.layers[i].blob.size;
	return 0;
}

static void print_row(const struct row *row, json_t *all)
{
	char size[16];
	json_t *one;

	if (!all) {
		printf("%-44s %.19s  %-12s %2zu layers  %s\n", row->name, row->digest,
		       row->platform, row->layers, size_text(row->size, size));
		return;
	}
	one = json_object();
	json_set(one, "name", json_text(row->name));
	json_set(one, "digest", json_text(row->digest));
	json_set(one, "platform", json_text(row->platform));
	json_set(one, "layers", json_integer((json_int_t)row->layers));
	json_set(one, "size", json_integer((json_int_t)row->size));
	json_append(all, one);
}

int cmd_images(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(json_decrefp) json_t *index = NULL;
	CLEANUP(json_decrefp) json_t *all = cli->values.json ? json_array() : NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	json_t *entries;
	size_t i;
	int r;

	r = session_open_store(&session, cli, err);
	if (r == 0)
		r = store_index_read(session.store, &index, err);
	if (r < 0)
		return r;
	entries = json_object_get(index, "manifests");
	for (i = 0; i < json_array_size(entries); i++) {
		struct row row;

		if (index_entry_is_referrers(json_array_get(entries, i), NULL))
			continue;
		r = read_row(&session, json_array_get(entries, i), &row, err);
		if (r < 0)
			return r;
		print_row(&row, all);
	}
	if (all) {
		json_canonical(all, &text);
		puts(buf_text(&text));
	}
	return 0;
}
