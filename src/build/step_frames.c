/* SPDX-License-Identifier: Apache-2.0
 * What a step's layer may use again of the layer that the same step had at the last build. */
#include "build/step.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "layer/layer_frames.h"

/* Frames keep a blob's bytes what they are only where the same compressor made them. */
static bool is_alike(const struct layer_compression *how, const struct store_record *record)
{
	char name[16];

	return str_equal(record->compression, layer_compression_name(how, name)) &&
	       str_equal(record->compressor, layer_compressor_version(how->kind));
}

void step_frames_find(const struct step *step, size_t number, struct step_frames *ret)
{
	const struct layer_compression *how = &step->build->options->compression;
	CLEANUP(store_record_release) struct store_record record = {0};
	char hex[VARVE_DIGEST_HEX];

	*ret = (struct step_frames){.blob = -1};
	if (how->kind != LAYER_CHUNKED ||
	    build_recall_record(step->build, step->name, &record) < 0 ||
	    number >= record.layers.count || !is_alike(how, &record))
		return;
	ret->blob = openat(store_blobs_fd(step->build->store),
			   varve_digest_hex(&record.layers.items[number].blob.digest, hex),
			   O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (ret->blob >= 0)
		(void)layer_frames_new(ret->blob, &ret->frames, NULL);
}

void step_frames_release(struct step_frames *f)
{
	layer_frames_freep(&f->frames);
	fd_close(&f->blob);
}
