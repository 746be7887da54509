/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_document.h"

#include <stdio.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "store/store_batch.h"

static void add_document(struct store_batch *batch, const json_t *document, const char *media_type,
			 struct varve_descriptor *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_canonical(document, &text);
	(void)snprintf(ret->media_type, sizeof(ret->media_type), "%s", media_type);
	store_batch_add(batch, &text, ret);
}

static void add_empty_layer(struct store_batch *batch)
{
	static const char zeros[IMAGE_EMPTY_TAR];
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_descriptor unused;

	buf_add(&text, zeros, sizeof(zeros));
	store_batch_add(batch, &text, &unused);
}

void image_write(const struct image_spec *spec, const char *name, struct store_batch *batch,
		 struct varve_descriptor *ret_manifest)
{
	CLEANUP(json_decrefp) json_t *config = image_config_json(spec);
	CLEANUP(json_decrefp) json_t *manifest = NULL;
	struct varve_descriptor config_descriptor = {.size = 0}, descriptor = {.size = 0};

	if (image_is_empty(spec))
		add_empty_layer(batch);
	add_document(batch, config, VARVE_MEDIA_CONFIG, &config_descriptor);
	manifest = image_manifest_json(spec, &config_descriptor);
	add_document(batch, manifest, VARVE_MEDIA_MANIFEST, &descriptor);
	store_batch_name(batch, name, &descriptor);
	*ret_manifest = descriptor;
}
