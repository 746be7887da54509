/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/copy_source.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/place_copy.h"
#include "registry/seen.h"
#include "store/store.h"

void copy_source_release(struct copy_source *source)
{
	registry_close(source->registry);
	registry_close(source->upstream);
	(void)pthread_mutex_destroy(&source->mutex);
	image_layout_close(&source->layout);
	place_release(&source->place);
}

struct referrers_end copy_source_end(struct copy_source *source)
{
	return (struct referrers_end){.registry = source->registry,
				      .layout = source->layout.fd < 0 ? NULL : &source->layout,
				      .place = &source->place,
				      .sessions = -1};
}

static void note_seen(const struct copy *copy, const struct copy_source *source)
{
	CLEANUP(graph_release) struct graph graph = {0};
	struct varve_error unused;

	if (graph_walk(&source->root, place_get_manifest, (void *)(uintptr_t)&source->place, &graph,
		       &unused) < 0)
		return;
	for (size_t i = 0; i < graph.blob_count; i++)
		seen_note(copy->store, &graph.blobs[i].digest, source->registry);
}

static int open_registry(const struct copy *copy, const struct endpoint *from,
			 struct place *landing, bool lazy, struct copy_source *ret,
			 struct varve_error *err)
{
	struct pull pull = {
		.into = &ret->place, .platform = copy->platform, .manifests_only = lazy};
	int r;

	place_init(&ret->place, landing->blobs, landing->partials, landing->store);
	r = pull_from(copy->settings, &from->reference, &pull, &ret->registry, &ret->pulled, err);
	if (r < 0)
		return registry_blame(r);
	ret->root = ret->pulled.root;
	ret->named = ret->pulled.named;
	ret->lazy = lazy;
	note_seen(copy, ret);
	return 0;
}

static int choose(const struct copy *copy, struct copy_source *source, struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest m = {0};
	int r;

	if (!copy->platform || !manifest_type_is_index(source->root.media_type))
		return 0;
	r = place_get_manifest(&source->place, &source->root, &m, err);
	return r < 0 ? r : manifest_choose(&m, copy->platform, &source->root, err);
}

static int open_store(const struct copy *copy, const struct endpoint *from, struct copy_source *ret,
		      struct varve_error *err)
{
	place_of_store(&ret->place, copy->store, copy->uploads);
	return store_index_find(copy->store, from->name, &ret->root, err);
}

static int open_layout(const struct endpoint *from, struct copy_source *ret,
		       struct varve_error *err)
{
	int r = image_layout_open(from->target.path, &ret->layout, err);

	if (r < 0)
		return r;
	place_init(&ret->place, ret->layout.blobs, -1, NULL);
	r = image_layout_find(&ret->layout, from->target.name, &ret->root, err);
	if (r < 0)
		varve_error_prefix(err, "oci:%.300s", from->target.path);
	return r;
}

static int open_import(const struct copy *copy, const struct endpoint *from,
		       struct copy_source *ret, struct varve_error *err)
{
	place_of_store(&ret->place, copy->store, copy->uploads);
	return image_import(copy->store, &from->target, &ret->root, err);
}

int copy_source_open(const struct copy *copy, const struct endpoint *from, struct place *landing,
		     bool lazy, struct copy_source *ret, struct varve_error *err)
{
	int r;

	*ret = (struct copy_source){.layout = IMAGE_LAYOUT_INIT};
	(void)pthread_mutex_init(&ret->mutex, NULL);
	if (from->kind == ENDPOINT_REGISTRY)
		return open_registry(copy, from, landing, lazy, ret, err);
	if (from->kind == ENDPOINT_STORE)
		r = open_store(copy, from, ret, err);
	else if (from->target.transport == IMAGE_OCI)
		r = open_layout(from, ret, err);
	else
		r = open_import(copy, from, ret, err);
	ret->named = ret->root;
	return r < 0 ? r : choose(copy, ret, err);
}

static int open_upstream(struct copy_source *source, const struct copy *copy,
			 const struct endpoint *from, struct varve_error *err)
{
	int r = 0;

	(void)pthread_mutex_lock(&source->mutex);
	if (!source->upstream)
		r = pull_open_upstream(copy->settings, &from->reference, &source->upstream, err);
	(void)pthread_mutex_unlock(&source->mutex);
	return r;
}

int copy_source_layer(struct copy_source *source, const struct copy *copy,
		      const struct endpoint *from, const struct varve_descriptor *blob,
		      struct http_client *client, struct varve_error *err)
{
	_Atomic uint64_t unused = 0;
	struct varve_error why;
	int r = pull_blob(source->registry, client, &source->place, blob, &unused, err);

	if (r == 0 || registry_blame(r) != -VARVE_E_NETWORK ||
	    !registry_is_mirror(source->registry) || open_upstream(source, copy, from, &why) < 0)
		return registry_blame(r);
	return registry_blame(
		pull_blob(source->upstream, client, &source->place, blob, &unused, err));
}
