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
	struct plan_options plan_options;
	struct plan *plan;
	struct sandbox_host host;
	bool has_host;
	struct varve_error host_error; /* why not, where has_host is false */
	struct build_options options;
	struct build_secret *secrets;
	struct progress *progress;
	const struct build_cache *cache; /* of others; set before session_open; may be NULL */
	struct build build;
};

void session_release(struct session *session);

/* Settings, store and progress alone: for commands that run nothing in an image. */
int session_open_plain(struct session *session, struct cli *cli, struct varve_error *err);
const char *session_host_platform(void); /* "linux/amd64"; static */
bool session_is_platform(const char *text); /* OS/ARCH or OS/ARCH/VARIANT */
/* The same, and what this host can run: for commands without a recipe. */
int session_open_store(struct session *session, struct cli *cli, struct varve_error *err);
/* All of it, up to an assessed build. */
int session_open(struct session *session, struct cli *cli, enum session_locking locking,
		 struct varve_error *err);
/* Fails with the host's reason when steps cannot run here. */
int session_need_host(struct session *session, struct varve_error *err);

/* Reads the recipe with its includes; used by cli_parse. */
int session_load_recipe(const char *path, struct recipe **ret, struct varve_error *err);

#endif
