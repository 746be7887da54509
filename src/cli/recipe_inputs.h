/* SPDX-License-Identifier: Apache-2.0
 * The files that a recipe consists of, for those who rebuild from them elsewhere: bundles and
 * provenance. */
#ifndef CLI_RECIPE_INPUTS_H
#define CLI_RECIPE_INPUTS_H

#include "cli/session.h"
#include "source/bundle.h"

/* The recipe, its includes, its lock, and what its sources name beside it (keyrings, lock files),
 * as paths that can be opened. */
void recipe_inputs_files(const struct session *session, const struct plan_sources *sources,
			 struct strv *ret);
/* Specs of the local sources. Owned by the caller. */
json_t *recipe_inputs_locals(const struct plan_sources *sources);
/* The lock's path among collected files, "" where there is no lock. Caller frees. */
char *recipe_inputs_lock(const struct session *session, const struct bundle_inputs *inputs);

/* All of it as one blob of the store. */
struct recipe_inputs {
	struct varve_descriptor blob; /* VARVE_BUNDLE_INPUTS */
	json_t *files; /* of the recipe itself, without local sources: path in the tar ->
			  "100644:HEX"; owned */
	char *recipe, *lock; /* paths in the tar; lock "": there is none; owned */
	bool has_locals; /* the tar has the local sources too */
};
void recipe_inputs_release(struct recipe_inputs *inputs); /* usable with CLEANUP */
/* Local sources are left out together where they are more than a few thousand files or some MiB:
 * the store would hold them twice, and each build would read them. Nothing is read again or written
 * while nothing changes. */
int recipe_inputs_pack(struct session *session, struct recipe_inputs *ret, struct varve_error *err);

#endif
