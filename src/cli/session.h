/* SPDX-License-Identifier: Apache-2.0
 * What most commands need, opened in order: settings -> store -> recipe, lock -> plan -> build. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "build/build.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "lock/lock.h"
#include "recipe/recipe.h"

enum session_locking {
	SESSION_ADD, /* sources that are not locked are resolved, and the lock is written */
	SESSION_BUILD, /* the same, but not on a host where the plan's commands cannot run */
	SESSION_PREVIEW, /* resolved, but nothing is written (plan) */
	SESSION_REFRESH, /* those named by --upgrade are resolved anew, and the lock is written
			    (lock) */
};

struct session {
	struct cli *cli;
	json_t *config; /* settings of the machine; owned */
	struct strv mirrors; /* "NAME=URL", rising weight */
	struct varve_store *store;
	char *directory; /* of the recipe */
	char *lock_path;
	struct recipe_scope *scope;
	struct lock lock;
	struct strv lock_changes; /* what locking changed, in words */
	struct source_context sources;
	struct session_registries *registries; /* what sources ask registries through; owned */
	struct plan_options plan_options;
	struct plan *plan;
	struct sandbox_host host; /* set, as build.host, by session_find_host */
	bool has_host;
	bool on_cluster; /* steps are made by jobs of a cluster (build) */
	bool host_remembered; /* as it was found by an earlier process */
	bool scratch_chosen; /* the store has a scratch directory that nobody named */
	struct build_options options;
	struct build_secret *secrets;
	struct progress *progress;
	const json_t *shipped; /* a plan that came from elsewhere (shipped_plan.h), in place of
				  recipe, lock and local files; set before session_open; borrowed,
				  NULL: none */
	const char *only; /* the step that is wanted; set before session_open; NULL: all images */
	int only_step; /* its number */
	json_t *beside; /* digests of files beside the recipe that were asked for; owned */
	const struct build_cache *cache; /* of others; set before session_open; may be NULL */
	struct build build;
};

void session_release(struct session *session);

const char *session_host_platform(void); /* "linux/amd64"; static */
bool session_is_platform(const char *text); /* OS/ARCH or OS/ARCH/VARIANT */
/* Settings, store and progress: for commands without a recipe. */
int session_open_store(struct session *session, struct cli *cli, struct varve_error *err);
/* Fills mirrors from the settings, the environment and the command line. */
int session_read_mirrors(struct session *session, struct varve_error *err);
/* All of it, up to an assessed build. */
int session_open(struct session *session, struct cli *cli, enum session_locking locking,
		 struct varve_error *err);
/* Layers of an image of the store that stayed at a registry, since nobody looked at them: brings
 * them. With --offline one that is missing is an error that names it. */
int session_complete(struct session *session, const struct varve_descriptor *image,
		     struct varve_error *err);
/* source_fetch, with progress. With --offline in a process without network. */
int session_fetch(struct session *session, const struct lock_source *const *sources, size_t count,
		  struct varve_error *err);
/* Values of the recipe's options, NAME=VALUE in rising weight: of the machine, then given. */
void session_settings(const struct session *session, struct strv *ret);
/* Finds out, once, what this host can do: from the store's facts, else by trying. A build of which
 * everything is cached has no need to know. */
void session_find_host(struct session *session);
/* The same, and fails with the host's reason where commands cannot run. What an earlier process
 * found is not believed then, but tried anew. */
int session_need_host(struct session *session, struct varve_error *err);
/* Tries anew in any case, and keeps what came out. */
struct sandbox_tried;
void session_probe_host(struct session *session, struct sandbox_tried *ret);
/* After a failure for the host's sake: tries anew what was only remembered. true: now the host is
 * another one. */
bool session_doubt_host(struct session *session);

/* Reads the recipe with its includes; used by cli_parse. */
int session_load_recipe(const char *path, struct recipe **ret, struct varve_error *err);

#endif
