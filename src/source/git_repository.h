/* SPDX-License-Identifier: Apache-2.0
 * One commit of a repository, fetched into a bare repository of our own: shallow and by its name
 * where the server allows it, else with all branches and tags. It lies in a work directory of the
 * store and goes with it. */
#ifndef SOURCE_GIT_REPOSITORY_H
#define SOURCE_GIT_REPOSITORY_H

#include "source/git_refs.h"
#include "store/store.h"

struct git_repository {
	struct varve_store *store; /* borrowed */
	struct store_job job;
	char *path; /* of the bare repository; owned */
	char *url; /* as given to git; owned */
	char commit[GIT_HEX], tree[GIT_HEX];
	long long date; /* of the committer, seconds */
};

void git_repository_release(struct git_repository *repository); /* and removes it; for CLEANUP */

/* commit: a whole name. An object that the server lacks is named by its path where that can be
 * found out. */
int git_fetch(struct varve_store *store, const char *url, const char *commit,
	      struct git_repository *ret, struct varve_error *err);

/* What ref stands for at url now: the commit's whole name, and the full name of the branch or tag
 * ("" for a commit; caller frees). An abbreviated commit is looked for among the tips first, then
 * in the history. */
int git_resolve(struct varve_store *store, const char *url, const char *ref, char commit[GIT_HEX],
		char **ret_name, struct varve_error *err);

#endif
