/* SPDX-License-Identifier: Apache-2.0
 * Building a plan: which steps are in the store, running those that are not, writing the images.
 *
 *	build_assess (what is known)  ->  build_run (ready steps, in parallel)  ->  build_images
 *
 * The process that calls build_run stays single-threaded and only waits: each step and each fetch
 *is a forked worker (step_worker.h), so that nothing survives its end and any of them may be
 *killed. */
#ifndef BUILD_BUILD_H
#define BUILD_BUILD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <varve/report.h>
#include "base/buf.h"
#include "image/image.h"
#include "layer/layer.h"
#include "plan/plan.h"
#include "sandbox/sandbox.h"
#include "source/source.h"
#include "store/store.h"

struct executor;

struct build_secret {
	char *name;
	char *path; /* file outside that holds it */
};

/* Records that others keep, for steps that the store does not know. */
struct build_cache {
	void *cookie;
	/* Brings the record of this key and its layers into the store: 1; 0: there is none. Never
	 * fails a build: what goes wrong is told elsewhere. */
	int (*find)(void *cookie, const struct varve_digest *key);
	/* A text that others found out (destination.h): 1 and it is appended; 0: there is none. */
	int (*find_fact)(void *cookie, const char *name, struct buf *ret);
	/* What was not there may be there now. */
	void (*renew)(void *cookie);
};

struct build_options {
	struct layer_compression compression;
	unsigned jobs; /* steps at once; 0: one per core */
	bool expect_cached; /* a step that would run is -VARVE_E_COMPARE */
	const struct build_secret *secrets;
	size_t secret_count;
	const volatile sig_atomic_t *stop; /* set by the caller's signal handler; NULL: never */
};

/* What is known of one step: beside plan_known, what only the store and the build need. */
struct build_step {
	struct varve_digest key; /* valid when has_key */
	json_t *input; /* owned; with has_key; NULL again once the step was made */
	bool has_key;
	bool cached; /* was in the store when first looked at */
	char compression[16]; /* of the layers' blobs, as recorded */
};

/* All of a build's state; filled by build_begin, used by one thread. */
struct build {
	const struct plan *plan;
	struct varve_store *store;
	struct source_context *sources;
	const struct sandbox_host *host; /* NULL: steps cannot run here (plan, explain) */
	const struct build_options *options;
	const struct varve_report *report;
	const struct build_cache *cache; /* NULL: none */
	struct destination_view *view; /* destination.h; NULL: none yet; owned */
	struct plan_known *known; /* plan->step_count each, as the next two */
	struct build_step *steps;
	struct plan_status *status;
	bool *wanted; /* per step, NULL: all of them (build_want); owned */
};

void build_begin(const struct plan *plan, struct varve_store *store, struct source_context *sources,
		 struct build *ret);
void build_release(struct build *build);

/* Leaves out all but this step and what it needs, directly or not: no image is written then. To be
 * called before build_assess. */
void build_want(struct build *build, int step);
bool build_wants(const struct build *build, size_t step);

/* Looks each step up in the store, in plan order: fills known, steps and status. Runs nothing. */
int build_assess(struct build *build, struct varve_error *err);
/* What of owners gets lost when this step runs on this host. */
enum sandbox_loss build_loss(const struct build *build, const struct plan_step *step);
/* Tries to make one more step known (key, record). Returns 1 when it is, 0 when not. */
int build_look_up(struct build *build, int step, struct varve_error *err);

/* Has what is missing made by executor (NULL: by workers of this process, here) until every wanted
 * step is known. A failing step stops the start of others; those that run are ended. On success
 * every layer's blob is in the store, in the compression of who made it. 1: the executor goes on
 * without us. */
int build_run(struct build *build, struct executor *executor, struct varve_error *err);

/* Makes sure that a known step's blobs have the wanted compression: finds other blobs of the same
 * tars, or compresses those tars anew; the step is not run. */
int build_compress(struct build *build, int step, struct varve_error *err);

/* Writes all images of the plan and enters them in the store's index. ret_manifests: one for each.
 */
int build_images(struct build *build, struct varve_descriptor *ret_manifests,
		 struct varve_error *err);

/* Keeps the inputs of this build's steps for explain (facts/last-RECIPE.json). */
void build_remember(const struct build *build);
/* The input that STAGE/STEP of this recipe had at the last build, or NULL. Owned by the caller. */
json_t *build_recall(const struct build *build, const char *step_name);
/* Bytes of the trees and blobs of what it made then; 0: nothing is known. ret_trees: of the trees
 * alone. */
uint64_t build_recall_size(const struct build *build, const char *step_name, uint64_t *ret_trees);
/* The record that it had. -VARVE_E_NOT_FOUND without a text. */
struct store_record;
int build_recall_record(const struct build *build, const char *step_name, struct store_record *ret);

void build_tell(const struct build *build, enum varve_event_kind kind, const char *step,
		const char *text);
void build_event(const struct build *build, const struct varve_event *event);

#endif
