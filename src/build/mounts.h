/* SPDX-License-Identifier: Apache-2.0
 * What a step sees beside the layers below: sources and stages (read-only), caches, secrets. */
#ifndef BUILD_MOUNTS_H
#define BUILD_MOUNTS_H

#include "build/step.h"

struct mounts {
	struct sandbox_bind *binds; /* strings are owned by the list */
	size_t count, alloc;
};
void mounts_release(struct mounts *mounts);

/* Adds one bind; takes nothing, copies both strings. */
void mounts_add(struct mounts *mounts, const char *source, const char *target, bool writable);

/* Prepares everything under the step's work directory and lists the binds, in order of target. */
int mounts_prepare(struct step *step, struct mounts *ret, struct varve_error *err);

/* "caches/NAME": where the store keeps the resume directory of a step whose key is known. Caller
 * frees. */
char *mounts_resume_name(const struct build_step *state);

/* The content of a source or stage as a path that can be bound or copied. name: of the directory
 * made in the work directory. ret_is_file: the path is a single file. Caller frees *ret. */
int mounts_content(struct step *step, const struct plan_mount *mount, const char *name, char **ret,
		   bool *ret_is_file, struct varve_error *err);
/* Whether the files of such content are made for it: those of other sources and stages are links to
 * the store's own. */
bool mounts_makes_content(const struct step *step, const struct plan_mount *mount);

#endif
