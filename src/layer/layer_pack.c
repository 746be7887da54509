/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer.h"

#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/sink_beside.h"
#include "layer/layer_beginning.h"
#include "layer/layer_chunked.h"
#include "layer/layer_frames.h"
#include "layer/layer_marks.h"
#include "layer/layer_write.h"

/* tree -> out(tar -> compressor) -> beside -> blob -> the caller's sink */
struct packing {
	const struct layer_compression *how;
	struct sink_hash tar, blob;
	struct sink_beside beside; /* compressed bytes: hashed and written beside the compressor */
	struct sink *compressor;
	struct sink_marks tar_marks, blob_marks;
	struct layer_vouched vouched;
	const struct layer_mark *from; /* of the blob before; NULL: all is made */
	struct layer_beginning beginning;
};

static void packing_release(struct packing *p)
{
	(void)layer_beginning_finish(&p->beginning);
	layer_compressor_free(p->compressor);
	sink_hash_release(&p->tar);
	sink_beside_release(&p->beside);
	sink_hash_release(&p->blob);
	sink_marks_release(&p->tar_marks);
	sink_marks_release(&p->blob_marks);
	layer_vouched_release(&p->vouched);
}

/* --- marks -------------------------------------------------------------------------------------
 */

/* Those before the place where this layer begins are those of the layer before. */
static void keep_marks(struct layer_marks *marks, const struct layer_marks *before,
		       const struct layer_mark *from)
{
	for (const struct layer_mark *m = before->items; m <= from; m++)
		layer_marks_add(marks, m);
}

/* The compressor knows where the marks are, the hashes what they were there. */
static void complete_marks(struct packing *p)
{
	struct layer_marks *marks = p->how->marks;
	size_t kept = marks->count - p->tar_marks.reached;

	if (marks->count < p->tar_marks.reached) /* no table, no marks */
		return;
	for (size_t i = 0; i < p->tar_marks.reached; i++) {
		marks->items[kept + i].tar = p->tar_marks.items[i].state;
		marks->items[kept + i].blob = p->blob_marks.items[i].state;
	}
}

/* Leaves the bytes before the mark out; they are copied meanwhile. */
static int go_on_from(struct packing *p, const struct layer_mark *from, struct sink *take_blob,
		      struct varve_error *err)
{
	int fd = -1, r = sink_leave(take_blob, from->blob_at, &fd);

	if (r < 0) {
		*err = take_blob->text;
		return r;
	}
	layer_beginning_start(&p->beginning, layer_frames_blob(p->how->known), fd, from->blob_at);
	sink_hash_resume(&p->tar, &from->tar);
	sink_hash_resume(&p->blob, &from->blob);
	p->from = from;
	return 0;
}

static int begin(struct packing *p, const struct layer_mark *from, struct sink *take_blob,
		 struct varve_error *err)
{
	const struct layer_marking marking = {from, p->how->marks, &p->tar_marks, &p->blob_marks,
					      p->how->vouch ? &p->vouched : NULL};
	int r;

	if (p->how->kind != LAYER_CHUNKED)
		return 0;
	r = layer_chunked_begin(p->compressor, &marking, err);
	if (r <= 0 || !from)
		return r;
	if (p->how->marks)
		keep_marks(p->how->marks, p->how->before, from);
	return go_on_from(p, from, take_blob, err);
}

/* Where the blob before has the same bytes up to. */
static int find_mark(int tree, const struct strv *implied, const struct owners *owners,
		     const struct layer_compression *c, const struct layer_mark **ret,
		     struct varve_error *err)
{
	if (c->kind != LAYER_CHUNKED || !c->before || !c->vouch)
		return 0;
	return layer_prove(tree, implied, owners, c->before, c->vouch, ret, err);
}

static int finish(struct packing *p, struct varve_layer *ret, struct varve_error *err)
{
	int r = layer_beginning_finish(&p->beginning);

	if (r < 0)
		return varve_error_set(err, r, "copy the beginning of the layer's last blob");
	if (p->how->marks)
		complete_marks(p);
	ret->diff_id = p->tar.digest;
	ret->tar_size = p->tar.written;
	ret->blob.digest = p->blob.digest;
	ret->blob.size = p->blob.written;
	(void)snprintf(ret->blob.media_type, sizeof(ret->blob.media_type), "%s",
		       layer_media_type(p->how->kind));
	return 0;
}

/* The contract has seven parameters: all of them are needed, and named alike everywhere. */
/* NOLINTNEXTLINE(readability-function-size) */
int layer_pack(int tree, const struct strv *implied, const struct owners *owners,
	       const struct layer_compression *c, struct sink *take_blob, struct varve_layer *ret,
	       struct varve_error *err)
{
	CLEANUP(packing_release) struct packing p = {.how = c};
	const struct layer_mark *from = NULL;
	const bool asks = c->kind == LAYER_CHUNKED; /* the others hash no contents */
	struct varve_layer layer = {.entry_count = 0};
	struct layer_writing writing;
	int r = c->known ? find_mark(tree, implied, owners, c, &from, err) : 0;

	if (r < 0) {
		(void)sink_close(take_blob, &(struct varve_error){.code = 0});
		return r;
	}
	layer_vouched_init(&p.vouched);
	sink_marks_init(&p.tar_marks);
	sink_marks_init(&p.blob_marks);
	sink_hash_init(&p.blob, take_blob);
	sink_beside_init(&p.beside, &p.blob.sink);
	r = layer_compressor_new(c, 0, &p.beside.sink, &p.compressor, err);
	if (r < 0)
		return r;
	sink_hash_init(&p.tar, p.compressor);
	p.tar.marks = &p.tar_marks;
	p.blob.marks = &p.blob_marks;
	r = begin(&p, sink_can_leave(take_blob) ? from : NULL, take_blob, err);
	if (r < 0) {
		(void)sink_close(&p.tar.sink, &(struct varve_error){.code = 0});
		return r;
	}
	writing = (struct layer_writing){p.from, asks ? c->vouch : NULL, &p.vouched};
	r = layer_write_after(tree, implied, owners, &writing, &p.tar.sink, &layer.entry_count,
			      err);
	if (r == 0)
		r = finish(&p, &layer, err);
	if (r == 0)
		*ret = layer;
	return r;
}

int layer_measure(int tree, const struct strv *implied, const struct owners *owners,
		  const struct layer_compression *c, struct varve_layer *ret,
		  struct varve_error *err)
{
	CLEANUP(sink_hash_release) struct sink_hash tar;
	struct varve_layer layer = {.entry_count = 0};
	struct layer_writing writing = {.from = NULL};
	int r;

	sink_hash_init(&tar, NULL);
	r = find_mark(tree, implied, owners, c, &writing.from, err);
	if (r < 0)
		return r;
	if (writing.from)
		sink_hash_resume(&tar, &writing.from->tar);
	r = layer_write_after(tree, implied, owners, &writing, &tar.sink, &layer.entry_count, err);
	if (r < 0)
		return r;
	layer.diff_id = tar.digest;
	layer.tar_size = tar.written;
	*ret = layer;
	return 0;
}
