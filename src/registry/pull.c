/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pull.h"

#include <stdlib.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/graph.h"
#include "registry/remote_manifest.h"
#include "registry/transfer.h"

struct run {
	const struct pull *pull;
	struct http_client *client; /* of the calling thread */
	struct graph graph;
};

/* What is in the place need not be asked for. */
static int get_manifest(void *cookie, const struct varve_descriptor *descriptor,
			struct manifest *ret, struct varve_error *err)
{
	const struct run *run = cookie;
	char digest[VARVE_DIGEST_TEXT];
	struct buf bytes = BUF_INIT;

	if (place_has(run->pull->into, descriptor) &&
	    place_read(run->pull->into, descriptor, MANIFEST_LIMIT, &bytes, err) == 0)
		return manifest_parse(&bytes, descriptor->media_type, ret, err);
	return remote_manifest_get(run->pull->registry, run->client,
				   varve_digest_text(&descriptor->digest, digest), ret, err);
}

/* 0: chosen, 1: nothing in it fits; then err says what there is. */
static int choose(struct run *run, const struct manifest *index, int depth,
		  struct varve_descriptor *ret, struct varve_error *err)
{
	int r = manifest_choose(index, run->pull->platform, ret, err);

	/* Of a platform that an index stands for itself, go on inside. */
	for (size_t i = 0; i < index->child_count && (r == -VARVE_E_NOT_FOUND || r == 1); i++) {
		CLEANUP(manifest_release) struct manifest inner = {0};

		if (!manifest_type_is_index(index->children[i].media_type) ||
		    depth >= MANIFEST_DEPTH)
			continue;
		r = get_manifest(run, &index->children[i], &inner, err);
		if (r == 0)
			r = choose(run, &inner, depth + 1, ret, err);
	}
	return r == -VARVE_E_NOT_FOUND ? 1 : r;
}

/* The descriptor of target, and of the image that is chosen from it. */
static int find_root(struct run *run, const char *target, struct pull_result *ret,
		     struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest m = {0};
	const struct pull *pull = run->pull;
	int r = remote_manifest_look(pull->registry, run->client, target, &ret->root, err);

	if (r < 0)
		return r;
	if (r == 1 && place_has(pull->into, &ret->root))
		r = get_manifest(run, &ret->root, &m, err);
	else
		r = remote_manifest_get(pull->registry, run->client, target, &m, err);
	if (r < 0)
		return r;
	ret->root = m.self;
	ret->named = m.self;
	if (!m.is_index || !pull->platform)
		return place_put(pull->into, &m.bytes, &m.self.digest, err);
	r = choose(run, &m, 0, &ret->root, err);
	if (r == 1) {
		varve_error_prefix(err, "%s", registry_name(pull->registry));
		r = -VARVE_E_NOT_FOUND;
	}
	return r;
}

static int fetch_blob(void *cookie, struct transfer *transfer, struct http_client *client,
		      struct varve_error *err)
{
	const struct run *run = cookie;

	return pull_blob(run->pull->registry, client, run->pull->into, transfer->blob,
			 &transfer->done, err);
}

static bool is_config(const struct graph *graph, const struct varve_descriptor *blob)
{
	for (size_t i = 0; i < graph->manifest_count; i++) {
		const struct manifest *m = &graph->manifests[i];

		if (!m->is_index && m->child_count > 0 &&
		    varve_digest_equal(&m->children[0].digest, &blob->digest))
			return true;
	}
	return false;
}

static int fetch_blobs(struct run *run, struct pull_result *ret, struct varve_error *err)
{
	const struct graph *graph = &run->graph;
	CLEANUP(free_ptr)
	struct transfer *items = xcalloc(graph->blob_count + 1, sizeof(*items));
	struct transfers transfers = {.registry = run->pull->registry,
				      .items = items,
				      .what = registry_name(run->pull->registry),
				      .run = fetch_blob,
				      .cookie = run};

	for (size_t i = 0; i < graph->blob_count; i++) {
		const struct varve_descriptor *blob = &graph->blobs[i];

		if (run->pull->manifests_only && !is_config(graph, blob))
			continue;
		if (place_has(run->pull->into, blob)) {
			ret->there++;
			continue;
		}
		items[transfers.count++].blob = blob;
		ret->fetched++;
		ret->bytes += blob->size;
	}
	return transfers_run(&transfers, err);
}

static int put_manifests(struct run *run, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; i < run->graph.manifest_count && r == 0; i++)
		r = place_put(run->pull->into, &run->graph.manifests[i].bytes,
			      &run->graph.manifests[i].self.digest, err);
	return r;
}

int pull_run(const struct pull *pull, const char *target, struct pull_result *ret,
	     struct varve_error *err)
{
	CLEANUP(http_client_freep) struct http_client *client = NULL;
	struct run run = {.pull = pull};
	struct pull_result result = {0};
	int r = http_client_new(&client, err);

	run.client = client;
	if (r == 0)
		r = find_root(&run, target, &result, err);
	if (r == 0)
		r = graph_walk(&result.root, get_manifest, &run, &run.graph, err);
	if (r == 0)
		r = fetch_blobs(&run, &result, err);
	if (r == 0)
		r = put_manifests(&run, err);
	graph_release(&run.graph);
	if (r == 0)
		*ret = result;
	return r;
}
