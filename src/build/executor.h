/* SPDX-License-Identifier: Apache-2.0
 * Who makes the steps that the store does not have: workers of this process, or the jobs of a
 * cluster. The ready loop (build_run.c) says which steps, an executor says what became of them; the
 * plan knows of neither. What a step yields lies in the store (or in a shared cache) when it has
 * ended: nothing else is handed over.
 *
 *	start -> wait ... wait (one end at a time), log; abort when the build ends early */
#ifndef BUILD_EXECUTOR_H
#define BUILD_EXECUTOR_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/descriptor.h"
#include "base/strv.h"

struct build;
struct varve_error;

/* How a step ended; or (trees_only) that it is about to: those that wait for it need no more. */
struct executor_end {
	int step;
	bool trees_only; /* its trees are in the store; its blobs and its record come, and the end
			  */
	struct layer_list layers; /* trees_only: what they are, without blobs; owned */
	int result; /* 0: made, its record is there; else a negative code */
	char *error; /* what went wrong; owned; NULL: nothing */
	struct strv hints; /* what to do next, a line each */
	struct strv notices; /* what its user should know */
};
void executor_end_release(struct executor_end *end);

struct executor {
	void *cookie;
	/* Begins these steps, in the order of the plan. Every step that one of them needs is known,
	 * or (with ahead) was begun before or stands before it. */
	int (*start)(void *cookie, struct build *build, const int *steps, size_t count,
		     struct varve_error *err);
	/* Descriptors that become readable when wait has news, at most room; others may come
	 * without any: wait is asked a few times a second. NULL: none ever. */
	size_t (*descriptors)(void *cookie, struct pollfd *ret, size_t room);
	/* Tells the report what happened. 1: of one step there is news, *ret is filled; 0: of none;
	 * negative: the executor itself fails. Does not block for longer than an answer takes. */
	int (*wait)(void *cookie, struct build *build, struct executor_end *ret,
		    struct varve_error *err);
	/* Adds the last lines that a step printed, without the newline at their end. */
	void (*log)(void *cookie, struct build *build, int step, struct buf *ret);
	/* Ends whatever was begun and has not ended; with spare_trees not what told of its trees:
	 * what it has made is worth its last seconds. */
	void (*abort)(void *cookie, struct build *build, bool spare_trees);
	/* True: what was begun goes on without this process, which leaves. stopped: the build is
	 * told to stop; false: a good moment for one that was to leave anyway. NULL: never. */
	bool (*leaves)(void *cookie, bool stopped);
	/* Takes steps before those that they need are done. Sources need not be here then, unless
	 * wants_sources. */
	bool ahead;
	bool wants_sources;
};

/* Forked workers of this process. */
struct executor_local;
struct executor_local *executor_local_new(void);
void executor_local_free(struct executor_local *local);
void executor_local_freep(struct executor_local **local);
struct executor executor_of_local(struct executor_local *local);

#endif
