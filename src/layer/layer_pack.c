/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer.h"

#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/sink_beside.h"

/* The contract has seven parameters: all of them are needed, and named alike everywhere. */
/* NOLINTNEXTLINE(readability-function-size) */
int layer_pack(int tree, const struct strv *implied, const struct owners *owners,
	       const struct layer_compression *c, struct sink *take_blob, struct varve_layer *ret,
	       struct varve_error *err)
{
	struct sink_hash tar, blob;
	struct sink_beside out; /* compressed bytes: hashed and written beside the compressor */
	struct sink *compressor = NULL;
	struct varve_layer layer = {.entry_count = 0};
	int r;

	sink_hash_init(&blob, take_blob);
	sink_beside_init(&out, &blob.sink);
	r = layer_compressor_new(c, 0, &out.sink, &compressor, err);
	if (r < 0) {
		sink_beside_release(&out);
		sink_hash_release(&blob);
		return r;
	}
	sink_hash_init(&tar, compressor);
	r = layer_write(tree, implied, owners, &tar.sink, &layer.entry_count, err);
	if (r == 0) {
		layer.diff_id = tar.digest;
		layer.tar_size = tar.written;
		layer.blob.digest = blob.digest;
		layer.blob.size = blob.written;
		(void)snprintf(layer.blob.media_type, sizeof(layer.blob.media_type), "%s",
			       layer_media_type(c->kind));
		*ret = layer;
	}
	layer_compressor_free(compressor);
	sink_hash_release(&tar);
	sink_beside_release(&out);
	sink_hash_release(&blob);
	return r;
}

int layer_measure(int tree, const struct strv *implied, const struct owners *owners,
		  struct varve_layer *ret, struct varve_error *err)
{
	CLEANUP(sink_hash_release) struct sink_hash tar;
	struct varve_layer layer = {.entry_count = 0};
	int r;

	sink_hash_init(&tar, NULL);
	r = layer_write(tree, implied, owners, &tar.sink, &layer.entry_count, err);
	if (r < 0)
		return r;
	layer.diff_id = tar.digest;
	layer.tar_size = tar.written;
	*ret = layer;
	return 0;
}
