/* SPDX-License-Identifier: Apache-2.0
 * Several workers that run at the same time, and one poll over all of them. */
#ifndef BUILD_WORKER_SET_H
#define BUILD_WORKER_SET_H

#include <poll.h>

#include "build/worker.h"

enum { WORKER_DESCRIPTORS = 2 }; /* that one worker has at most */

struct worker_set {
	struct worker *items; /* those that run; owned */
	size_t count, alloc;
};

int worker_set_start(struct worker_set *set, struct build *build, enum worker_kind kind, int index,
		     struct varve_error *err);
unsigned worker_set_running(const struct worker_set *set, enum worker_kind kind);
/* What becomes readable when worker_set_hear has something to do. ret has room for
 * WORKER_DESCRIPTORS of each. Returns their number. */
size_t worker_set_descriptors(const struct worker_set *set, struct pollfd *ret);
/* Reads what is there, and tells the report. Does not wait. */
void worker_set_hear(struct worker_set *set, struct build *build);
/* Takes one out that has closed its pipes; the caller reaps and releases it. false: none has. */
bool worker_set_take_ended(struct worker_set *set, struct worker *ret);
/* A step whose worker has said since what its trees are; that worker is at its blobs still, and
 * stays. false: none has. The caller releases them. */
bool worker_set_take_trees(struct worker_set *set, int *ret_step, struct layer_list *ret);
void worker_set_kill(struct worker_set *set);
/* Kills and takes out all but those that have only their blobs to write. */
void worker_set_kill_most(struct worker_set *set);
void worker_set_release(struct worker_set *set); /* kills what still runs */

#endif
