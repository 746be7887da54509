/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/push.h"

#include <stdlib.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "registry/graph.h"
#include "registry/place_copy.h"
#include "registry/referrers.h"
#include "registry/remote_manifest.h"
#include "registry/transfer.h"

struct run {
	const struct push *push;
	struct http_client *client; /* of the calling thread */
	struct graph graph;
	struct transfer *transfers;
	enum upload_outcome *outcomes; /* of each transfer */
	struct strv *mounts; /* of each transfer */
};

/* --- blobs ---------------------------------------------------------------------------------------
 */

static int open_blob(void *cookie, const struct varve_descriptor *blob, struct http_client *client,
		     int *ret_fd, struct varve_error *err)
{
	const struct push *push = cookie;
	int fd = place_open(push->from, blob, err);

	if (fd == -VARVE_E_NOT_FOUND && push->fetch) {
		int r = push->fetch(push->cookie, blob, client, err);

		fd = r < 0 ? r : place_open(push->from, blob, err);
	}
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

static int send_blob(void *cookie, struct transfer *transfer, struct http_client *client,
		     struct varve_error *err)
{
	struct run *run = cookie;
	size_t index = (size_t)(transfer - run->transfers);
	const struct upload_source source = {.blob = transfer->blob,
					     .open = open_blob,
					     .cookie = (void *)(uintptr_t)run->push,
					     .sessions = run->push->sessions,
					     .mounts = &run->mounts[index]};

	return upload_blob(run->push->registry, client, &source, &transfer->done,
			   &run->outcomes[index], err);
}

static void count(const struct run *run, struct push_result *ret)
{
	*ret = (struct push_result){0};
	for (size_t i = 0; i < run->graph.blob_count; i++) {
		ret->there += run->outcomes[i] == UPLOAD_WAS_THERE;
		ret->mounted += run->outcomes[i] == UPLOAD_MOUNTED;
		ret->sent += run->outcomes[i] == UPLOAD_SENT;
		if (run->outcomes[i] == UPLOAD_SENT)
			ret->bytes += run->graph.blobs[i].size;
	}
}

static void forget_transfers(struct run *run)
{
	for (size_t i = 0; run->mounts && i < run->graph.blob_count; i++)
		strv_release(&run->mounts[i]);
	free(run->mounts);
	free(run->transfers);
	free(run->outcomes);
	run->mounts = NULL;
	run->transfers = NULL;
	run->outcomes = NULL;
}

static int send_blobs(struct run *run, struct push_result *ret, struct varve_error *err)
{
	size_t blobs = run->graph.blob_count;
	struct transfers transfers = {.registry = run->push->registry,
				      .count = blobs,
				      .what = registry_name(run->push->registry),
				      .run = send_blob,
				      .cookie = run};
	int r;

	forget_transfers(run);
	run->mounts = xcalloc(blobs + 1, sizeof(*run->mounts));
	run->transfers = transfers.items = xcalloc(blobs + 1, sizeof(*run->transfers));
	run->outcomes = xcalloc(blobs + 1, sizeof(*run->outcomes));
	for (size_t i = 0; i < blobs; i++) {
		run->transfers[i].blob = &run->graph.blobs[i];
		if (run->push->mounts)
			run->push->mounts(run->push->cookie, &run->graph.blobs[i], &run->mounts[i]);
	}
	r = transfers_run(&transfers, err);
	count(run, ret);
	return r;
}

/* --- manifests -----------------------------------------------------------------------------------
 */

/* One that refers to another is noted where the registry does not do so itself. */
static int put(struct run *run, const char *target, const struct manifest *m,
	       struct varve_error *err)
{
	bool noted = false;
	int r = remote_manifest_put(run->push->registry, run->client, target, m, &noted, err);

	return r < 0 || noted ? r : referrers_note(run->push->registry, run->client, m, err);
}

static int put_by_digest(struct run *run, const struct manifest *m, struct varve_error *err)
{
	char digest[VARVE_DIGEST_TEXT];

	return put(run, varve_digest_text(&m->self.digest, digest), m, err);
}

static int put_root(struct run *run, const struct strv *tags, struct varve_error *err)
{
	const struct manifest *root = &run->graph.manifests[run->graph.manifest_count - 1];
	int r = 0;

	if (tags->count == 0)
		return put_by_digest(run, root, err);
	for (size_t i = 0; i < tags->count && r == 0; i++)
		r = put(run, tags->items[i], root, err);
	return r;
}

static int put_all(struct run *run, const struct strv *tags, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; i + 1 < run->graph.manifest_count && r == 0; i++)
		r = put_by_digest(run, &run->graph.manifests[i], err);
	return r < 0 ? r : put_root(run, tags, err);
}

/* A client that put it may have been stopped before it was noted. */
static bool refers(const struct run *run)
{
	const struct manifest *root = &run->graph.manifests[run->graph.manifest_count - 1];
	struct varve_descriptor unused;

	return referrers_subject(root, &unused, NULL) != 0;
}

/* A registry that has the root by its digest has what it names, or says so when it is tagged. */
static int push_all(struct run *run, const struct varve_descriptor *root, const struct strv *tags,
		    struct push_result *ret, struct varve_error *err)
{
	struct varve_descriptor there;
	char digest[VARVE_DIGEST_TEXT];
	int r = remote_manifest_look(run->push->registry, run->client,
				     varve_digest_text(&root->digest, digest), &there, err);

	if (r < 0)
		return r;
	if (r == 1) {
		*ret = (struct push_result){.there = run->graph.blob_count};
		r = tags->count > 0 || refers(run) ? put_root(run, tags, err) : 0;
		if (r != -VARVE_E_NOT_FOUND)
			return r;
	}
	r = send_blobs(run, ret, err);
	if (r < 0)
		return r;
	r = put_all(run, tags, err);
	if (r != -VARVE_E_NOT_FOUND)
		return r;
	/* Blobs that were there a moment ago are gone: a registry that collects its garbage. */
	r = send_blobs(run, ret, err);
	if (r < 0)
		return r;
	r = put_all(run, tags, err);
	return r == -VARVE_E_NOT_FOUND ? -VARVE_E_NETWORK : r;
}

int push_run(const struct push *push, const struct varve_descriptor *root, const struct strv *tags,
	     struct push_result *ret, struct varve_error *err)
{
	CLEANUP(http_client_freep) struct http_client *client = NULL;
	struct run run = {.push = push};
	int r;

	r = graph_walk(root, place_get_manifest, push->from, &run.graph, err);
	if (r == 0)
		r = http_client_new(&client, err);
	run.client = client;
	if (r == 0)
		r = push_all(&run, root, tags, ret, err);
	forget_transfers(&run);
	graph_release(&run.graph);
	return r;
}
