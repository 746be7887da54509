/* SPDX-License-Identifier: Apache-2.0
 * The same tar in another compression: compression is no part of a key, so no step runs for it. */
#include "build/build.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"

/* Unpacks the old blob into a compressor that writes a new one. */
static int compress_anew(struct build *build, struct varve_layer *layer, struct varve_error *err)
{
	CLEANUP(store_blob_abort) struct store_blob_writer writer = {0};
	CLEANUP(fd_close) int blob = -1;
	const struct layer_compression *wanted = &build->options->compression;
	struct varve_descriptor old = layer->blob;
	struct sink *compressor = NULL;
	int r;

	r = varve_store_open_blob(build->store, &old.digest, &blob, err);
	if (r == 0)
		r = store_blob_begin(build->store, &writer, err);
	if (r == 0)
		r = layer_compressor_new(wanted, 0, &writer.sink, &compressor, err);
	if (r < 0)
		return r;
	r = layer_unpack_stream(blob, &old, compressor, err);
	layer_compressor_free(compressor);
	if (r < 0)
		return r;
	layer->blob.size = writer.written;
	snprintf(layer->blob.media_type, sizeof(layer->blob.media_type), "%s",
		 layer_media_type(wanted->kind));
	return store_blob_commit(&writer, NULL, &layer->blob.digest, err);
}

static int compress_layer(struct build *build, struct varve_layer *layer, const char *wanted,
			  struct varve_error *err)
{
	struct varve_layer other;
	int r;

	if (store_blob_of_layer(build->store, &layer->diff_id, wanted, &other) == 0) {
		*layer = other;
		return 0;
	}
	r = compress_anew(build, layer, err);
	if (r < 0)
		return r;
	return store_note_blob_of_layer(build->store, layer, wanted, err);
}

int build_compress(struct build *build, int step, struct varve_error *err)
{
	struct layer_list *layers = &build->known[step].layers;
	char wanted[16];
	int r = 0;

	layer_compression_name(&build->options->compression, wanted);
	if (strcmp(wanted, build->steps[step].compression) == 0)
		return 0;
	for (size_t i = 0; i < layers->count && r == 0; i++)
		r = compress_layer(build, &layers->items[i], wanted, err);
	return r;
}
