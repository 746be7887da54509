/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/graph.h"

#include <stdlib.h>
#include "base/cleanup.h"

enum { GRAPH_MANIFESTS = 4096 };

struct walk {
	graph_get get;
	void *cookie;
	struct graph *graph;
};

void graph_release(struct graph *graph)
{
	for (size_t i = 0; i < graph->manifest_count; i++)
		manifest_release(&graph->manifests[i]);
	free(graph->manifests);
	free(graph->blobs);
	*graph = (struct graph){0};
}

static bool has_manifest(const struct graph *graph, const struct varve_digest *digest)
{
	for (size_t i = 0; i < graph->manifest_count; i++) {
		if (varve_digest_equal(&graph->manifests[i].self.digest, digest))
			return true;
	}
	return false;
}

static void add_blob(struct graph *graph, const struct varve_descriptor *blob)
{
	for (size_t i = 0; i < graph->blob_count; i++) {
		if (varve_digest_equal(&graph->blobs[i].digest, &blob->digest))
			return;
	}
	graph->blobs = array_grow(graph->blobs, graph->blob_count, &graph->blob_alloc,
				  sizeof(*graph->blobs));
	graph->blobs[graph->blob_count++] = *blob;
}

/* Refuses what is nested too deep: a document could name many that name many. */
static int visit(struct walk *walk, const struct varve_descriptor *descriptor, int depth,
		 struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest m = {0};
	struct graph *graph = walk->graph;
	int r;

	if (has_manifest(graph, &descriptor->digest))
		return 0;
	if (depth > MANIFEST_DEPTH || graph->manifest_count >= GRAPH_MANIFESTS)
		return varve_error_set(err, -VARVE_E_LIMIT,
				       "the index names too many manifests, or too deep");
	r = walk->get(walk->cookie, descriptor, &m, err);
	for (size_t i = 0; i < m.child_count && r == 0; i++) {
		if (m.is_index)
			r = visit(walk, &m.children[i], depth + 1, err);
		else
			add_blob(graph, &m.children[i]);
	}
	if (r < 0)
		return r;
	graph->manifests = array_grow(graph->manifests, graph->manifest_count,
				      &graph->manifest_alloc, sizeof(*graph->manifests));
	graph->manifests[graph->manifest_count++] = m;
	m = (struct manifest){0};
	return 0;
}

int graph_walk(const struct varve_descriptor *root, graph_get get, void *cookie, struct graph *ret,
	       struct varve_error *err)
{
	CLEANUP(graph_release) struct graph graph = {0};
	struct walk walk = {get, cookie, &graph};
	int r = visit(&walk, root, 0, err);

	if (r < 0)
		return r;
	*ret = graph;
	graph = (struct graph){0};
	return 0;
}
