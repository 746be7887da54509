/* SPDX-License-Identifier: Apache-2.0
 * The lock in a session: read, complete, write. */
#ifndef CLI_SESSION_LOCK_H
#define CLI_SESSION_LOCK_H

#include "cli/session.h"

/* Reads the lock file and resolves what is missing (or is to be refreshed); the difference is told
 * and kept in session->lock_changes. With --locked or --offline a missing source is -VARVE_E_LOCK.
 */
int session_lock(struct session *session, enum session_locking locking, struct varve_error *err);
/* Every combination of the values that options can be told to have by name (choices and booleans);
 * those given on the command line keep theirs. What the recipe refuses (requires) is left out. */
struct combinations {
	struct strv *items; /* "NAME=VALUE" each, of the options that are gone through */
	size_t count, alloc;
	bool complete; /* no option can have other values */
};
int session_combinations(const struct session *session, struct combinations *ret,
			 struct varve_error *err);
void combinations_release(struct combinations *combinations);
/* The sources of all of them, each once. */
int session_all_sources(struct session *session, struct plan_sources *ret, bool *ret_complete,
			struct varve_error *err);
void session_lock_release(struct session *session);

#endif
