/* SPDX-License-Identifier: Apache-2.0
 * The plan: recipe + option values + lock, compiled into fully resolved steps. Pure: no clock, no
 *disk, no network; digests of local directories come through one callback.
 *
 *	plan_sources (which sources, as specs) -> caller locks them -> plan_compile -> struct plan
 *	plan_input (the canonical JSON of a step, once the layers below are known) -> key
 *
 * One serialiser (plan_input) gives `plan --json`, the key's input and the record. */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/descriptor.h>
#include "base/descriptor.h"
#include "base/json.h"
#include "base/strv.h"
#include "lock/lock.h"
#include "recipe/recipe.h"

enum { PLAN_FORMAT = 1, PLAN_NONE = -1 };
/* A member of keys. src/build asserts that it equals LAYER_RULES_VERSION, which this directory may
 * not include. */
enum { PLAN_LAYER_RULES = 2 };
/* The layers of a step at most; as LAYER_PARTS_MAX. */
enum { PLAN_PARTS_MAX = 60 };
/* The rules that a step's layer and output were searched by for its secrets: a member of the keys
 * of steps with secrets. */
enum { PLAN_SECRET_SEARCH = 1 };
#define PLAN_EPOCH_DEFAULT INT64_C(315532800) /* 1980-01-01, the oldest date that zip can hold */

/* A source that the chosen images need, resolved to a spec (source/source.h has the members). A
 * recipe source that is installed on different bases appears once per base. */
struct plan_source {
	char *name;
	enum recipe_source_kind kind;
	struct recipe_place at;
	json_t *spec; /* owned */
	struct varve_digest digest; /* of the spec: the lock's index */
	const struct lock_source
		*locked; /* borrowed from the lock; NULL: local, or not locked yet */
	struct varve_digest
		content; /* what keys see: of the artifact list, or of the local listing */
	int64_t date; /* newest date among its facts, 0: unknown */
};
struct plan_sources {
	struct plan_source *items; /* in an order in which they can be resolved */
	size_t count, alloc;
	bool commands; /* plan_collect_sources: there are steps that run commands */
};

struct plan_options {
	const char *platform; /* "linux/amd64" */
	const struct strv *images; /* names under images: that are wanted; empty or NULL: all */
	int64_t epoch; /* SOURCE_DATE_EPOCH of the environment, -1: not set */
	const char *registry; /* --registry HOST[/PREFIX], or NULL */
	/* Content digest of a local source. */
	int (*local_digest)(void *cookie, const struct plan_source *source,
			    struct varve_digest *ret, struct varve_error *err);
	/* Digest of a file beside the recipe: the lock file of a python source. */
	int (*file_digest)(void *cookie, const char *path, struct varve_digest *ret,
			   struct varve_error *err);
	void *cookie;
};

/* Where a chain of steps ends: PLAN_NONE, or the number of an image source in this form. */
static inline int plan_on_image(int source)
{
	return PLAN_NONE - 1 - source;
}
static inline bool plan_is_image(int at)
{
	return at < PLAN_NONE;
}
static inline int plan_image_source(int at)
{
	return PLAN_NONE - 1 - at;
}

enum { PLAN_JOBS_AUTO = -1 };

enum plan_content { PLAN_FROM_SOURCE, PLAN_FROM_STAGE };
struct plan_mount {
	char *target; /* absolute, clean */
	enum plan_content content;
	int index; /* of the source or stage */
	char *path; /* PLAN_FROM_STAGE: clean path in it, "" = all */
};
struct plan_ownership {
	char *path;
	int64_t uid, gid, mode; /* -1: as it is */
};
struct plan_cache {
	char *target, *name;
};

struct plan_step {
	char *name; /* of the step */
	int stage; /* index of its stage */
	int below; /* index of the step below, also across stages; PLAN_NONE: nothing;
		      plan_on_image(): an image source */
	int base; /* what the step sees below it: below, but for layers of a split step, which do
		     not see each other */
	struct recipe_place at;
	enum recipe_action action;
	struct plan_mount from; /* install: the source (target unused); copy: what is copied */
	char *to; /* copy: destination, absolute and clean; a trailing "/" kept: into it; wheels:
		   * into
		   */
	char *interpreter; /* install of wheels: "python3.11"; NULL: no such step */
	char *layout; /* install of wheels: "venv", "prefix", "directory" */
	bool bytecode; /* install of wheels: compile modules */
	bool link; /* copy: nobody looks whether the destination goes through links below */
	bool part; /* install of wheels: on top of the layer that has the environment itself */
	struct strv wheels; /* install of wheels: names of those in this layer; empty: all */
	struct strv exclude; /* copy */
	struct strv argv; /* run: shell + script, or the command as given */
	struct strv environment; /* NAME=VALUE, sorted, complete: what the process gets */
	struct strv unkeyed_environment;
	char *workdir, *user; /* "/" and "0:0" by default; user as written */
	struct plan_mount *mounts; /* sorted by target */
	size_t mount_count, mount_alloc;
	struct plan_cache *caches; /* sorted by target */
	size_t cache_count, cache_alloc;
	char *resume; /* absolute, clean: a directory kept until the step is done; NULL: none */
	struct strv secrets;
	bool network; /* host network: not hermetic */
	int64_t jobs; /* 0: not said; PLAN_JOBS_AUTO: for the host to say (plan_set_jobs) */
	uint64_t jobs_memory; /* what one job takes at most, in bytes; 0: not said */
	struct strv slurm; /* NAME=VALUE, sorted: what its job asks of a cluster; not in the key */
	struct plan_ownership *ownership;
	size_t ownership_count, ownership_alloc;
	bool ownership_strict; /* a host that cannot keep owners exactly refuses */
	bool ownership_fast; /* the command need not see owners: not in the key, where it alters
				bytes the host's way of doing it is (build_look_up) */
	struct strv scrub; /* patterns, built-in sets already replaced */
	struct strv split; /* clean paths of directories that become layers of their own */
	uint64_t split_maximum; /* bytes of a layer; 0: no bound */
	int64_t epoch;
};

struct plan_stage {
	char *name;
	int from; /* index of the stage below, PLAN_NONE: nothing */
	int top; /* index of its last step (own, or of the stages below); PLAN_NONE: no step at all;
		    plan_on_image(): no step, but an image source */
	struct strv environment; /* NAME=VALUE with what it inherits */
};

struct plan_image {
	char *name_in_recipe;
	int stage;
	char *name; /* "host/repository:tag", expanded; no host where none is known */
	json_t *config; /* {"Env":[..],"Cmd":[..],"Entrypoint":[..],"WorkingDir":..,"User":..,"Labels":{..},
			   "ExposedPorts":{..},"Volumes":{..},"StopSignal":..}; only what is set;
			   owned */
	json_t *checks; /* [{"name":..,"run":..,"user":..,"gpu":true}]; owned */
	int64_t epoch;
	struct varve_digest lock_digest; /* as the plan's, over the sources of this image alone */
};

struct plan {
	char *recipe_name;
	char recipe_digest[65];
	char *platform;
	struct varve_digest lock_digest; /* over the specs and artifacts that this plan uses */
	struct plan_sources sources;
	struct plan_stage *stages;
	size_t stage_count, stage_alloc;
	struct plan_step *steps; /* each after all that it needs */
	size_t step_count, step_alloc;
	struct plan_image *images;
	size_t image_count, image_alloc;
};

void plan_sources_release(struct plan_sources *sources);
void plan_free(struct plan *plan);
void plan_freep(struct plan **plan);

int plan_collect_sources(const struct recipe *recipe, const struct recipe_scope *scope,
			 const struct plan_options *options, struct plan_sources *ret,
			 struct varve_error *err);
/* A source that is not in the lock is -VARVE_E_LOCK naming it (callers lock first). The lock must
 * outlive the plan. */
int plan_compile(const struct recipe *recipe, const struct recipe_scope *scope,
		 const struct lock *lock, const struct plan_options *options, struct plan **ret,
		 struct varve_error *err);

/* Says how many jobs a step runs: in its unkeyed environment, under the names that common tools
 * look for. What the recipe sets itself wins. */
void plan_set_jobs(struct plan_step *step, int64_t jobs);

/* --- keys --------------------------------------------------------------------------------------
 */
/* What is known of a step so far; kept by whoever walks the plan. */
struct plan_known {
	bool known; /* the layer is known */
	struct layer_list layers; /* bottom first; none: the step changed nothing; owned */
	char *destination; /* copy: the destination with the symlinks below it resolved; owned;
			      NULL: not resolved yet */
	char *interpreter; /* install of wheels: "PATH sha256:HEX" of the program that step names,
			      as it is below; owned; NULL: not looked up yet */
};
/* The image source at the bottom of the chain that ends at top (a step, or where chains end), or
 * PLAN_NONE. */
int plan_base(const struct plan *plan, int top);
/* That source as it is locked; NULL where there is none, or no lock. */
const struct lock_source *plan_base_locked(const struct plan *plan, int top);
/* That image's layers, bottom first; returns their number. ret has room for plan_chain_room. */
size_t plan_base_layers(const struct plan *plan, int top, struct varve_layer *ret);
/* More layers, and more steps, than the chain that ends in top has. */
size_t plan_chain_room(const struct plan *plan, const struct plan_known *known, int top);
/* The diff ids of the chain ending in step (PLAN_NONE: empty chain), bottom first, those of an
 * image below included, empty steps left out. Returns the count, or -EAGAIN when one is not known
 * (then *ret_unknown is its index). ret has room for plan_chain_room. */
int plan_chain(const struct plan *plan, int step, const struct plan_known *known,
	       struct varve_digest *ret, int *ret_unknown);
/* The canonical input of a step's key: format, action and resolved fields, environment, platform,
 * epoch, digests of sources, layer rules version, diff ids of the chain below (not for copy) and of
 * mounted stages. Not in it: names, jobs, secrets' values, unkeyed environment, where bytes come
 * from, compression. -EAGAIN as above (also when a copy's destination is not resolved: *ret_unknown
 * = step). */
int plan_input(const struct plan *plan, int step, const struct plan_known *known, json_t **ret,
	       int *ret_unknown);
/* True for a step of several layers. */
static inline bool plan_is_split(const struct plan_step *step)
{
	return step->split.count > 0 || step->split_maximum > 0;
}
/* True for a step that installs wheels. */
bool plan_installs_wheels(const struct plan *plan, const struct plan_step *step);
/* True for an artifact that the step installs. */
bool plan_step_has(const struct plan_step *step, const struct lock_artifact *artifact);
/* The steps that must be known before step can start (below, mounted stages, copied stage), each
 * once. */
size_t plan_needs(const struct plan *plan, int step, int *ret, size_t room);
/* At least their number. */
size_t plan_needs_room(const struct plan *plan, int step);
/* True when other is one of them. */
bool plan_waits_for(const struct plan *plan, int step, int other);
/* True when all of them are known. */
bool plan_is_ready(const struct plan *plan, int step, const struct plan_known *known);

/* --- printing ----------------------------------------------------------------------------------
 */
enum plan_verdict { PLAN_HIT, PLAN_MISS, PLAN_DEPENDS };
struct plan_status {
	enum plan_verdict verdict;
	int depends_on; /* PLAN_DEPENDS: the step whose layer is not known yet */
	struct varve_digest key; /* hit and miss */
	uint64_t size; /* of the layer's blob, hit only */
	char why[160]; /* miss: "no record", "environment.CFLAGS changed", ... */
};
/* status may be NULL (a plan that was not compared with a store). */
void plan_print_text(const struct plan *plan, const struct plan_status *status, struct buf *out);
json_t *plan_to_json(const struct plan *plan, const struct plan_status *status);
void plan_print_dot(const struct plan *plan, const struct plan_status *status, struct buf *out);
/* "stage/step" of a step; caller frees. */
char *plan_step_name(const struct plan *plan, int step);
/* "STEP" (when unique) or "STAGE/STEP" -> index; -VARVE_E_USAGE with the nearest name. */
int plan_find_step(const struct plan *plan, const char *name, struct varve_error *err);

/* --- explain -----------------------------------------------------------------------------------
 */
/* The listing of a local source by its digest ({"path":"mode:sha256"}), or NULL. Owned by the
 * caller. */
typedef json_t *(*plan_listing)(void *cookie, const struct varve_digest *digest);
/* Each differing member of two inputs, a line each: "environment.CFLAGS: \"-O2\" -> \"-O3\"",
 * "source app: src/main.c changed"; lists of artifacts are compared by name. before may be NULL. */
void plan_explain(const json_t *before, const json_t *after, plan_listing listing, void *cookie,
		  struct strv *ret_lines);

#endif
