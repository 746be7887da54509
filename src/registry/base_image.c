/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/base_image.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/place_copy.h"
#include "registry/transfer.h"

static const struct varve_descriptor *first_missing(const struct place *place,
						    const struct manifest *image)
{
	for (size_t i = 0; i < image->child_count && !image->is_index; i++)
		if (!place_has(place, &image->children[i]))
			return &image->children[i];
	return NULL;
}

/* 1: it names one, 0: it does not. */
static int read_annotations(const struct manifest *image, struct reference *ret,
			    struct varve_error *err)
{
	const json_t *annotations = json_object_get(image->document, "annotations");
	const char *name = json_optional_string(annotations, IMAGE_BASE_NAME, "");
	struct varve_digest digest;
	int r;

	if (!*name || json_get_digest(annotations, IMAGE_BASE_DIGEST, &digest, NULL) < 0)
		return 0;
	r = reference_parse(name, ret, err);
	if (r < 0)
		return r;
	/* Tags move. */
	free_ptr(&ret->tag);
	ret->digest = digest;
	return 1;
}

static int find(const struct manifest *image, const struct varve_descriptor *missing,
		struct endpoint *ret, struct varve_error *err)
{
	char digest[VARVE_DIGEST_TEXT];
	int r = read_annotations(image, &ret->reference, err);

	ret->kind = ENDPOINT_REGISTRY;
	if (r != 0)
		return r < 0 ? r : 0;
	return varve_error_set(
		err, -VARVE_E_NOT_FOUND,
		"layer %s is not in the store, and the image does not say where it is",
		varve_digest_text(&missing->digest, digest));
}

static int open_base(const struct copy *copy, struct place *store, const struct manifest *image,
		     struct base_image *ret, struct varve_error *err)
{
	const struct varve_descriptor *missing = first_missing(store, image);
	int r;

	if (!missing)
		return 0;
	r = find(image, missing, &ret->from, err);
	if (r == 0)
		r = copy_source_open(copy, &ret->from, store, true, &ret->source, err);
	if (r < 0)
		varve_error_prefix(err, "layers of the image below");
	ret->is_open = r == 0;
	return r;
}

int base_image_open(const struct copy *copy, const struct varve_descriptor *image,
		    struct base_image *ret, struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest manifest = {0};
	struct place store;
	int r;

	place_of_store(&store, copy->store, copy->uploads);
	r = place_get_manifest(&store, image, &manifest, err);
	if (r == 0)
		r = open_base(copy, &store, &manifest, ret, err);
	place_release(&store);
	return r;
}

void base_image_release(struct base_image *base)
{
	if (base->is_open)
		copy_source_release(&base->source);
	endpoint_release(&base->from);
	*base = (struct base_image)BASE_IMAGE_INIT;
}

int base_image_layer(struct base_image *base, const struct copy *copy,
		     const struct varve_descriptor *blob, struct http_client *client,
		     struct varve_error *err)
{
	return copy_source_layer(&base->source, copy, &base->from, blob, client, err);
}

/* --- several -------------------------------------------------------------------------------------
 */

struct layers {
	const struct copy *copy;
	const struct endpoint *from;
	struct copy_source *source;
};

static int fetch(void *cookie, struct transfer *transfer, struct http_client *client,
		 struct varve_error *err)
{
	const struct layers *layers = cookie;

	return copy_source_layer(layers->source, layers->copy, layers->from, transfer->blob, client,
				 err);
}

static int fetch_all(const struct layers *layers, const struct varve_descriptor *blobs,
		     size_t count, struct varve_error *err)
{
	CLEANUP(free_ptr) struct transfer *items = xcalloc(count + 1, sizeof(*items));
	struct transfers transfers = {.registry = layers->source->registry,
				      .items = items,
				      .what = registry_name(layers->source->registry),
				      .run = fetch,
				      .cookie = (void *)(uintptr_t)layers};

	for (size_t i = 0; i < count; i++)
		if (!place_has(&layers->source->place, &blobs[i]))
			items[transfers.count++].blob = &blobs[i];
	return transfers_run(&transfers, err);
}

int copy_layers(const struct copy *copy, const struct endpoint *from,
		const struct varve_descriptor *blobs, size_t count, struct varve_error *err)
{
	CLEANUP(copy_source_release) struct copy_source source = {.layout = IMAGE_LAYOUT_INIT};
	const struct layers layers = {copy, from, &source};
	struct place store;
	int r;

	place_of_store(&store, copy->store, copy->uploads);
	r = copy_source_open(copy, from, &store, true, &source, err);
	place_release(&store);
	return r < 0 ? r : fetch_all(&layers, blobs, count, err);
}

static int complete_one(const struct copy *copy, const struct manifest *image,
			struct varve_error *err)
{
	CLEANUP(base_image_release) struct base_image base = BASE_IMAGE_INIT;
	const struct layers layers = {copy, &base.from, &base.source};
	int r = base_image_open(copy, &image->self, &base, err);

	if (r == 0 && base.is_open)
		r = fetch_all(&layers, image->children, image->child_count, err);
	return r;
}

int copy_complete(const struct copy *copy, const struct varve_descriptor *root,
		  struct varve_error *err)
{
	CLEANUP(graph_release) struct graph graph = {0};
	struct place store;
	int r;

	place_of_store(&store, copy->store, copy->uploads);
	r = graph_walk(root, place_get_manifest, &store, &graph, err);
	place_release(&store);
	for (size_t i = 0; i < graph.manifest_count && r == 0; i++)
		r = complete_one(copy, &graph.manifests[i], err);
	return r;
}
