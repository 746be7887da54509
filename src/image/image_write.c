/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_document.h"

#include <stdio.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "store/store.h"

/* Asks before it writes: a build without changes has no time for a temporary file and its fsync. */
static int put_bytes(struct varve_store *store, const void *data, size_t len,
		     struct varve_digest *ret, struct varve_error *err)
{
	uint64_t size;

	digest_bytes(data, len, ret);
	if (varve_store_has_blob(store, ret, &size) && size == len)
		return 0;
	return store_blob_put(store, data, len, ret, err);
}

static int put_document(struct varve_store *store, const json_t *document, const char *media_type,
			struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_canonical(document, &text);
	(void)snprintf(ret->media_type, sizeof(ret->media_type), "%s", media_type);
	ret->size = text.len;
	return put_bytes(store, text.data, text.len, &ret->digest, err);
}

static int put_empty_layer(struct varve_store *store, struct varve_error *err)
{
	static const char zeros[IMAGE_EMPTY_TAR];
	struct varve_digest digest;

	return put_bytes(store, zeros, sizeof(zeros), &digest, err);
}

int image_write(struct varve_store *store, const struct image_spec *spec, const char *name,
		struct varve_descriptor *ret_manifest, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *config = NULL;
	CLEANUP(json_decrefp) json_t *manifest = NULL;
	struct varve_descriptor config_descriptor, manifest_descriptor;
	int r = 0;

	if (image_is_empty(spec))
		r = put_empty_layer(store, err);
	if (r < 0)
		return r;
	config = image_config_json(spec);
	r = put_document(store, config, VARVE_MEDIA_CONFIG, &config_descriptor, err);
	if (r < 0)
		return r;
	manifest = image_manifest_json(spec, &config_descriptor);
	r = put_document(store, manifest, VARVE_MEDIA_MANIFEST, &manifest_descriptor, err);
	if (r < 0)
		return r;
	r = store_index_set(store, name, &manifest_descriptor, NULL, err);
	if (r < 0)
		return r;
	*ret_manifest = manifest_descriptor;
	return 0;
}
