/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_batch.h"

#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "store/store_state.h"

enum { TOGETHER = 128 }; /* files that are open at a time */

static void forget_documents(struct store_batch *batch)
{
	for (size_t i = 0; i < batch->document_count; i++)
		buf_release(&batch->documents[i].bytes);
	batch->document_count = batch->size = 0;
}

void store_batch_release(struct store_batch *batch)
{
	forget_documents(batch);
	for (size_t i = 0; i < batch->name_count; i++)
		free(batch->names[i].name);
	free(batch->documents);
	free(batch->names);
	*batch = (struct store_batch){0};
}

void store_batch_add(struct store_batch *batch, struct buf *take_bytes,
		     struct varve_descriptor *ret)
{
	struct store_batch_document *one;

	batch->documents = array_grow(batch->documents, batch->document_count,
				      &batch->document_alloc, sizeof(*batch->documents));
	one = &batch->documents[batch->document_count++];
	one->bytes = *take_bytes;
	*take_bytes = (struct buf)BUF_INIT;
	digest_bytes(one->bytes.data, one->bytes.len, &one->digest);
	ret->digest = one->digest;
	ret->size = one->bytes.len;
	batch->size += one->bytes.len;
}

void store_batch_name(struct store_batch *batch, const char *name,
		      const struct varve_descriptor *manifest)
{
	batch->names = array_grow(batch->names, batch->name_count, &batch->name_alloc,
				  sizeof(*batch->names));
	batch->names[batch->name_count++] = (struct store_name){xstrdup(name), *manifest};
}

/* Files under way, and what they become. */
struct slice {
	struct tempfile files[TOGETHER];
	struct store_adoption blobs[TOGETHER];
	size_t count;
};

static void slice_release(struct slice *slice)
{
	for (size_t i = 0; i < slice->count; i++)
		tempfile_abort(&slice->files[i]);
}

static int write_one(struct varve_store *store, const struct store_batch_document *one,
		     struct slice *slice, struct varve_error *err)
{
	struct tempfile *file = &slice->files[slice->count];
	int r;

	*file = (struct tempfile)TEMPFILE_INIT;
	r = store_temp_begin(store, 0444, file, err);
	if (r < 0)
		return store_failed(store, r, "a document", err);
	slice->blobs[slice->count++] =
		(struct store_adoption){file->fd, file->dirfd, file->name, &one->digest};
	r = fd_write_all(file->fd, one->bytes.data, one->bytes.len);
	if (r < 0)
		varve_error_set(err, r, "write a document in %s", store->path);
	return store_failed(store, r, "a document", err);
}

static int adopt(struct varve_store *store, struct slice *slice, struct varve_error *err)
{
	int r = store_blobs_adopt(store, slice->blobs, slice->count, err);

	for (size_t i = 0; i < slice->count && r == 0; i++)
		slice->files[i].name[0] = '\0';
	return r;
}

static bool is_there(const struct varve_store *store, const struct store_batch_document *one)
{
	uint64_t size;

	return varve_store_has_blob(store, &one->digest, &size) && size == one->bytes.len;
}

/* Writes what is missing of the documents from *at on, until the slice is full. */
static int write_slice(const struct store_batch *batch, size_t *at, struct digest_set *seen,
		       struct varve_store *store, struct varve_error *err)
{
	CLEANUP(slice_release) struct slice slice = {.count = 0};
	int r = 0;

	for (; *at < batch->document_count && slice.count < TOGETHER && r == 0; ++*at) {
		const struct store_batch_document *one = &batch->documents[*at];

		if (digest_set_has(seen, &one->digest) || is_there(store, one))
			continue;
		digest_set_add(seen, &one->digest);
		r = write_one(store, one, &slice, err);
	}
	return r < 0 || slice.count == 0 ? r : adopt(store, &slice, err);
}

int store_batch_flush(struct store_batch *batch, struct varve_store *store, struct varve_error *err)
{
	CLEANUP(digest_set_release) struct digest_set seen = {0};
	size_t at = 0;
	int r = 0;

	while (at < batch->document_count && r == 0)
		r = write_slice(batch, &at, &seen, store, err);
	forget_documents(batch);
	return r;
}

int store_batch_write(struct store_batch *batch, struct varve_store *store, struct varve_error *err)
{
	int r = store_batch_flush(batch, store, err);

	return r < 0 || batch->name_count == 0
		       ? r
		       : store_index_set_all(store, batch->names, batch->name_count, err);
}
