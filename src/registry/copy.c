/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/copy.h"

#include <stdlib.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/base_image.h"
#include "registry/copy_referrers.h"
#include "registry/copy_source.h"
#include "registry/place_copy.h"
#include "registry/push.h"
#include "registry/seen.h"
#include "store/store.h"

/* A copy under way. */
struct run {
	const struct copy *copy;
	const struct endpoint *from, *to;
	size_t count;
	struct place landing; /* where downloads go */
	struct image_layout layout; /* of the only target, where it is one */
	struct copy_source source;
	struct base_image base; /* what an image of the store stands on, where layers are missing */
	struct registry *target; /* that is being pushed to */
	struct copy_result result;
};

static void run_release(struct run *run)
{
	copy_source_release(&run->source);
	base_image_release(&run->base);
	registry_close(run->target);
	place_release(&run->landing);
	image_layout_close(&run->layout);
}

/* --- what refers to it ---------------------------------------------------------------------------
 */

static int copy_referrers(struct run *run, const struct referrers_end *to, struct varve_error *err)
{
	struct place store;
	struct referrers_copy copy = {.from = copy_source_end(&run->source),
				      .to = *to,
				      .artifact_type = run->copy->artifact_type};
	int r;

	if (!run->copy->referrers)
		return 0;
	place_of_store(&store, run->copy->store, run->copy->uploads);
	if (copy.from.registry && to->registry)
		copy.from.place = &store;
	r = referrers_copy_run(&copy, &run->source.root, &run->source.place, err);
	place_release(&store);
	run->result.referrers += copy.copied;
	return r;
}

static int check_referrers(const struct run *run, struct varve_error *err)
{
	bool can = endpoint_has_referrers(run->from);

	for (size_t i = 0; i < run->count; i++)
		can = can && endpoint_has_referrers(&run->to[i]);
	if (can || !run->copy->referrers)
		return 0;
	return varve_error_set(
		err, -VARVE_E_USAGE,
		"--referrers: only between docker://, oci: and store: places, others have no "
		"room for them");
}

/* --- to registries -------------------------------------------------------------------------------
 */

static void find_mounts(void *cookie, const struct varve_descriptor *blob, struct strv *ret)
{
	const struct run *run = cookie;
	const struct copy_source *source = run->base.is_open ? &run->base.source : &run->source;
	const struct endpoint *end = run->base.is_open ? &run->base.from : run->from;
	const struct registry *from = source->registry;
	const struct reference *named = &end->reference;

	if (from && str_equal(registry_origin(from), registry_origin(run->target)) &&
	    !str_equal(registry_repository(from), registry_repository(run->target)))
		strv_add(ret, registry_repository(from));
	/* Read from a mirror, the image may still lie where its name says. */
	else if (from && str_equal(reference_api_host(named), registry_host(run->target)) &&
		 !str_equal(named->repository, registry_repository(run->target)))
		strv_add(ret, named->repository);
	seen_elsewhere(run->copy->store, &blob->digest, run->target, ret);
}

/* In a thread: a layer that the target lacks and that has not been downloaded. */
static int fetch_layer(void *cookie, const struct varve_descriptor *blob,
		       struct http_client *client, struct varve_error *err)
{
	struct run *run = cookie;

	if (run->base.is_open)
		return base_image_layer(&run->base, run->copy, blob, client, err);
	return copy_source_layer(&run->source, run->copy, run->from, blob, client, err);
}

static bool same_repository(const struct endpoint *a, const struct endpoint *b)
{
	return b->kind == ENDPOINT_REGISTRY && str_equal(a->reference.host, b->reference.host) &&
	       str_equal(a->reference.repository, b->reference.repository);
}

/* Tags of all targets in the repository of to[first]. */
static void collect_tags(const struct run *run, size_t first, struct strv *ret)
{
	for (size_t i = first; i < run->count; i++) {
		const struct reference *reference = &run->to[i].reference;

		if (!same_repository(&run->to[first], &run->to[i]))
			continue;
		if (reference->tag && !strv_contains(ret, reference->tag))
			strv_add(ret, reference->tag);
		else if (!reference->tag && varve_digest_is_none(&reference->digest))
			strv_add(ret, "latest");
	}
}

static int check_digest(const struct run *run, const struct reference *to, struct varve_error *err)
{
	char have[VARVE_DIGEST_TEXT], want[VARVE_DIGEST_TEXT];

	if (varve_digest_is_none(&to->digest) ||
	    varve_digest_equal(&to->digest, &run->source.root.digest))
		return 0;
	return varve_error_set(err, -VARVE_E_USAGE, "the image is %s, the target names %s",
			       varve_digest_text(&run->source.root.digest, have),
			       varve_digest_text(&to->digest, want));
}

static void note_pushed(struct run *run)
{
	CLEANUP(graph_release) struct graph graph = {0};
	struct varve_error unused;

	if (graph_walk(&run->source.root, place_get_manifest, &run->source.place, &graph, &unused) <
	    0)
		return;
	for (size_t i = 0; i < graph.blob_count; i++)
		seen_note(run->copy->store, &graph.blobs[i].digest, run->target);
}

static int push_to(struct run *run, size_t first, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv tags = STRV_INIT;
	const struct reference *reference = &run->to[first].reference;
	struct push push = {.from = run->base.is_open ? &run->base.source.place
						      : &run->source.place,
			    .sessions = run->copy->uploads,
			    .fetch = run->source.lazy || run->base.is_open ? fetch_layer : NULL,
			    .mounts = find_mounts,
			    .cookie = run};
	struct push_result pushed = {0};
	int r = check_digest(run, reference, err);

	collect_tags(run, first, &tags);
	if (r == 0)
		r = registry_open(run->copy->settings, reference, true, &run->target, err);
	push.registry = run->target;
	if (r == 0)
		r = push_run(&push, &run->source.root, &tags, &pushed, err);
	if (r == 0)
		r = copy_referrers(run,
				   &(struct referrers_end){.registry = run->target,
							   .sessions = run->copy->uploads},
				   err);
	if (r == 0) {
		note_pushed(run);
		run->result.moved += pushed.sent;
		run->result.mounted += pushed.mounted;
		run->result.there += pushed.there;
		run->result.bytes += pushed.bytes;
	}
	registry_close(run->target);
	run->target = NULL;
	return r;
}

/* --- to files and the store ----------------------------------------------------------------------
 */

/* The name that the image has where it goes to, when the target gives none. Caller frees. */
static char *own_name(const struct run *run)
{
	const struct endpoint *from = run->from;

	if (from->kind == ENDPOINT_REGISTRY)
		return reference_text(&from->reference);
	if (from->kind == ENDPOINT_STORE)
		return xstrdup(from->name);
	return xstrdup(from->target.name ? from->target.name : "latest");
}

static int to_layout(struct run *run, const struct endpoint *to, struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = to->target.name ? xstrdup(to->target.name) : own_name(run);
	CLEANUP(image_layout_close) struct image_layout own = IMAGE_LAYOUT_INIT;
	const struct image_layout *layout = &run->layout;
	struct place place;
	int r = 0;

	if (layout->fd < 0) {
		r = image_layout_make(to->target.path, &own, err);
		layout = &own;
	}
	if (r < 0)
		return r;
	place_init(&place, layout->blobs, layout->fd, NULL);
	r = place_copy_graph(&run->source.place, &place, &run->source.root, err);
	if (r == 0)
		r = image_layout_enter(layout, name, &run->source.root, err);
	if (r == 0)
		r = copy_referrers(run, &(struct referrers_end){.layout = layout, .place = &place},
				   err);
	place_release(&place);
	return r;
}

static int into_store(struct run *run, struct varve_error *err)
{
	struct place place;
	int r = 0;

	place_of_store(&place, run->copy->store, run->copy->uploads);
	if (run->source.place.store != run->copy->store)
		r = place_copy_graph(&run->source.place, &place, &run->source.root, err);
	place_release(&place);
	return r;
}

static int to_archive(struct run *run, const struct endpoint *to, struct varve_error *err)
{
	CLEANUP(image_release) struct image image = {0};
	CLEANUP(free_ptr) char *name = own_name(run);
	struct image_export export = {&image, name};
	int r = into_store(run, err);

	if (r == 0)
		r = image_open_manifest(run->copy->store, &run->source.root, &image, err);
	if (r < 0)
		return r;
	return image_export(run->copy->store, &export, 1, &to->target, run->copy->unpack, err);
}

static int to_store(struct run *run, const struct endpoint *to, struct varve_error *err)
{
	struct place place;
	int r = into_store(run, err);

	if (r == 0)
		r = store_index_set(run->copy->store, to->name, &run->source.root, NULL, err);
	place_of_store(&place, run->copy->store, run->copy->uploads);
	if (r == 0)
		r = copy_referrers(run, &(struct referrers_end){.place = &place}, err);
	place_release(&place);
	return r;
}

/* --- all of it -----------------------------------------------------------------------------------
 */

static bool seen_before(const struct run *run, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (run->to[i].kind == ENDPOINT_REGISTRY &&
		    same_repository(&run->to[i], &run->to[index]))
			return true;
	}
	return false;
}

static int to_one(struct run *run, size_t index, struct varve_error *err)
{
	const struct endpoint *to = &run->to[index];

	if (to->kind == ENDPOINT_REGISTRY)
		return seen_before(run, index) ? 0 : push_to(run, index, err);
	if (to->kind == ENDPOINT_STORE)
		return to_store(run, to, err);
	return endpoint_is_layout(to) ? to_layout(run, to, err) : to_archive(run, to, err);
}

static bool all_registries(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		if (run->to[i].kind != ENDPOINT_REGISTRY)
			return false;
	}
	return true;
}

/* Downloads go where they are wanted, when that is one layout. */
static int open_landing(struct run *run, struct varve_error *err)
{
	int r = 0;

	if (run->count == 1 && endpoint_is_layout(&run->to[0])) {
		r = image_layout_make(run->to[0].target.path, &run->layout, err);
		place_init(&run->landing, run->layout.blobs, run->layout.fd, NULL);
	} else {
		place_of_store(&run->landing, run->copy->store, run->copy->uploads);
	}
	return r;
}

/* Layers of an image of the store may have stayed where the one below it came from. A registry that
 * has them, too, need not be sent them; all other places get them. */
static int find_base(struct run *run, struct varve_error *err)
{
	const struct varve_descriptor *root = &run->source.root;

	if (run->from->kind != ENDPOINT_STORE)
		return 0;
	if (all_registries(run) && !manifest_type_is_index(root->media_type))
		return base_image_open(run->copy, root, &run->base, err);
	return copy_complete(run->copy, root, err);
}

int copy_run(const struct copy *copy, const struct endpoint *from, const struct endpoint *to,
	     size_t count, struct copy_result *ret, struct varve_error *err)
{
	CLEANUP(run_release)
	struct run run = {.copy = copy,
			  .from = from,
			  .to = to,
			  .count = count,
			  .source = {.layout = IMAGE_LAYOUT_INIT},
			  .base = BASE_IMAGE_INIT,
			  .layout = IMAGE_LAYOUT_INIT};
	int r = check_referrers(&run, err);

	if (r == 0)
		r = open_landing(&run, err);
	if (r == 0)
		r = copy_source_open(copy, from, &run.landing, all_registries(&run), &run.source,
				     err);
	if (r == 0)
		r = find_base(&run, err);
	if (r < 0)
		return r;
	if (from->kind == ENDPOINT_REGISTRY && !all_registries(&run)) {
		run.result.moved = run.source.pulled.fetched;
		run.result.there = run.source.pulled.there;
		run.result.bytes = run.source.pulled.bytes;
	}
	for (size_t i = 0; i < count && r == 0; i++)
		r = to_one(&run, i, err);
	run.result.root = run.source.root;
	if (r == 0)
		*ret = run.result;
	else if ((r == -VARVE_E_DIGEST || r == -VARVE_E_NOT_FOUND) && endpoint_is_layout(from))
		varve_error_prefix(err, "oci:%.300s", from->target.path);
	return r;
}

int copy_look(const struct copy *copy, const struct endpoint *from, struct varve_descriptor *ret,
	      struct varve_error *err)
{
	CLEANUP(copy_source_release) struct copy_source source = {.layout = IMAGE_LAYOUT_INIT};
	struct place landing;
	int r;

	place_of_store(&landing, copy->store, copy->uploads);
	r = copy_source_open(copy, from, &landing, true, &source, err);
	place_release(&landing);
	if (r == 0)
		*ret = source.root;
	return r;
}

int copy_list_referrers(const struct copy *copy, const struct endpoint *from,
			struct varve_descriptor *ret_subject, json_t **ret_index,
			struct varve_error *err)
{
	CLEANUP(copy_source_release) struct copy_source source = {.layout = IMAGE_LAYOUT_INIT};
	struct referrers_end end;
	struct place landing;
	int r;

	if (!endpoint_has_referrers(from))
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--referrers: of docker://, oci: and store: images only");
	place_of_store(&landing, copy->store, copy->uploads);
	r = copy_source_open(copy, from, &landing, true, &source, err);
	place_release(&landing);
	end = copy_source_end(&source);
	if (r == 0)
		r = referrers_end_list(&end, &source.root.digest, copy->artifact_type, ret_index,
				       err);
	if (r == 0)
		*ret_subject = source.root;
	return r;
}
