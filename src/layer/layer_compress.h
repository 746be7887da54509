/* SPDX-License-Identifier: Apache-2.0
 * One constructor per compressor, all of the form of layer_compressor_new. Each returned sink
 * embeds struct layer_compressor first, so that layer_compressor_free finds the way back. */
#ifndef LAYER_LAYER_COMPRESS_H
#define LAYER_LAYER_COMPRESS_H

#include "base/sink.h"
#include "layer/layer.h"

struct layer_compressor {
	struct sink sink;
	struct sink *next;
	void (*free)(struct layer_compressor *c);
};

int layer_zstd_new(int level, unsigned threads, struct sink *next, struct layer_compressor **ret,
		   struct varve_error *err);
int layer_gzip_new(int level, unsigned threads, struct sink *next, struct layer_compressor **ret,
		   struct varve_error *err);
int layer_chunked_new(const struct layer_compression *how, unsigned threads, struct sink *next,
		      struct layer_compressor **ret, struct varve_error *err);

/* Writes to the next sink; its text becomes err. */
int layer_compressor_emit(struct layer_compressor *c, const void *data, size_t len,
			  struct varve_error *err);
/* Closes the next sink; r is the result so far and wins. */
int layer_compressor_end(struct layer_compressor *c, int r, struct varve_error *err);

#endif
