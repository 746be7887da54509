/* SPDX-License-Identifier: Apache-2.0
 * --cache-from and --cache-to of a build. */
#ifndef CLI_SHARED_CACHE_H
#define CLI_SHARED_CACHE_H

#include "cli/remote.h"
#include "registry/remote_cache.h"
#include "store/digest_set.h"

struct shared_cache {
	struct session *session; /* of the build; borrowed */
	struct build_cache hook; /* for session->cache */
	struct remote remote; /* options; opened with the first question */
	bool opened;
	struct remote_cache *from; /* that can be reached; owned */
	size_t count;
	struct digest_set absent; /* keys that none of them has */
};

/* Checks the names; asks nobody yet. */
int shared_cache_init(struct shared_cache *cache, struct session *session, struct cli *cli,
		      struct varve_error *err);
/* Sends the records of all steps of the build to each --cache-to. */
int shared_cache_save(struct shared_cache *cache, struct varve_error *err);
void shared_cache_release(struct shared_cache *cache);

#endif
