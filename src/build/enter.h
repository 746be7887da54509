/* SPDX-License-Identifier: Apache-2.0
 * Commands in a finished file system: `varve run`, `varve shell`, `varve validate`. What they
 * change is thrown away. */
#ifndef BUILD_ENTER_H
#define BUILD_ENTER_H

#include "build/build.h"

struct enter {
	const struct varve_layer *layers; /* bottom first; blobs in the store */
	size_t layer_count;
	const char *failed; /* path of a failed step's upper directory on top, or NULL */
	int step; /* its mounts, caches and secrets are there too; PLAN_NONE: none */
	const struct strv *environment; /* whole */
	const char *workdir, *user; /* "" and NULL: "/" and "0:0" */
	const struct strv *argv;
	const struct sandbox_bind *binds; /* further ones */
	size_t bind_count;
	/* Called in the process that will run the command, when its file system is there (at root):
	 * may enter a network of its own and make files in directory. NULL: nothing. */
	int (*furnish)(void *cookie, const char *root, const char *directory,
		       struct varve_error *err);
	void *cookie;
	bool network;
	bool own_network; /* the network that furnish has entered, without the host's files */
	bool terminal; /* stdin is passed on and the terminal kept */
	int output; /* descriptor for stdout and stderr; -1: ours */
};

/* Runs it to its end. build->plan may be NULL when step is PLAN_NONE. ret_status: exit status of
 * the command, 128 + signal. */
int enter_run(struct build *build, const struct enter *enter, int *ret_status,
	      struct varve_error *err);

#endif
