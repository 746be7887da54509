/* SPDX-License-Identifier: Apache-2.0
 * Building once more elsewhere: another run of this program, with a store of its own, in a
 *directory of its own, under conditions of its own. What bundles are checked with, and images
 *audited.
 *
 *	rebuild_place_begin -> rebuild_run | rebuild_run_cut_off ... -> rebuild_place_remove */
#ifndef CLI_REBUILD_H
#define CLI_REBUILD_H

#include "cli/session.h"

enum { REBUILD_RESULT_LIMIT = 16 << 20 }; /* bytes of what the other run prints */

/* A directory in the store's tmp/, held by a lock. */
struct rebuild_place {
	struct store_job job;
	char *path; /* absolute, empty at first; owned */
};
#define REBUILD_PLACE_INIT                                                                         \
	{                                                                                          \
		STORE_JOB_INIT, NULL                                                               \
	}
/* The session's host is known by then (session_find_host). */
int rebuild_place_begin(const struct session *session, struct rebuild_place *ret,
			struct varve_error *err);
/* With all that ids of a namespace own in it. Harmless on one that was not begun. */
void rebuild_place_remove(const struct session *session, struct rebuild_place *place);

/* The file that takes the other run's stdout: PLACE/NAME, empty. Returns the descriptor. */
int rebuild_output(const struct rebuild_place *place, const char *name, struct varve_error *err);
/* What is in it, from its beginning. */
int rebuild_read_output(int output, struct buf *ret, struct varve_error *err);

/* In what the other run differs from this one; zero: in nothing. */
struct rebuild_conditions {
	bool one_id; /* root of a user namespace that has no other id */
	const char *memory; /* this directory becomes a file system in memory; NULL: none */
	bool one_core;
	bool set_umask;
	mode_t umask;
	const struct strv *environment; /* NAME=VALUE that it has, others as ours; may be NULL */
};

/* argv after the program's name, as for a shell. before: last thing in the child, returns 0 or what
 * is told on stderr; may be NULL. Returns the exit status, 126 where it could not start, or a
 * negative code. */
struct rebuild_run {
	const struct sandbox_host *host;
	const struct strv *argv; /* the first is "varve" */
	const struct rebuild_conditions *conditions;
	int output; /* its stdout; -1: our stderr */
	int (*before)(void *cookie, struct varve_error *err);
	void *cookie;
};
int rebuild_run(const struct rebuild_run *run, struct varve_error *err);

/* As root of a user namespace that has no network but a loopback that is down. A status but 0 is
 * -VARVE_E_COMPARE. */
int rebuild_run_cut_off(const struct sandbox_host *host, const struct strv *argv, int output,
			struct varve_error *err);

#endif
