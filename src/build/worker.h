/* SPDX-License-Identifier: Apache-2.0
 * Workers: the forked processes that do a build's work. What they have to say travels as JSON lines
 *on one pipe (events, and the result as the last line), what their commands print on another.
 *
 *	{"event":"waiting"}  {"event":"fetch","what":W,"done":n,"total":n}
 *	{"event":"trees","layer":{...}}, or "layers":[...]: a step's trees are there, blobs come
 *	{"result":0,"notices":[...]}   {"result":-1024,"error":"..."} */
#ifndef BUILD_WORKER_H
#define BUILD_WORKER_H

#include <sys/types.h>

#include "build/build.h"
#include "build/compile.h"

enum worker_kind {
	WORKER_STEP, /* makes a step's layer */
	WORKER_RESOLVE, /* resolves a copy's destination, unpacking trees for it */
	WORKER_FETCH, /* fetches a source */
	WORKER_SWEEP, /* removes what dead builds left behind */
};

struct worker {
	enum worker_kind kind;
	int index; /* of the step or source */
	char *name; /* "stage/step", or the source's name; owned */
	pid_t pid; /* 0: none */
	int result_fd; /* JSON lines; -1 after its end */
	int output_fd; /* what the command prints; -1 after its end */
	int log_fd; /* the step's log, from its first byte on; -1: none */
	struct buf *line; /* pending text of result_fd and output_fd; owned */
	json_t *result; /* the last line, parsed; owned */
	int status; /* exit status, after worker_reap */
	struct compile compile; /* of a step */
	struct layer_list trees; /* what the event said, until they are taken; owned */
	bool has_trees;
	bool trees_taken; /* by worker_set_take_trees */
};

/* Starts a worker. The build's state is inherited as it is now. */
int worker_start(struct build *build, enum worker_kind kind, int index, struct worker *ret,
		 struct varve_error *err);
/* Reads what is there on the ready descriptor and tells the report; closes it at its end. */
void worker_read(struct build *build, struct worker *worker, int fd);
/* Adds the last lines that a step printed, without the newline at their end. */
void worker_tail(const struct worker *worker, struct buf *ret);
/* To be called now and then: looks at a step's memory, and tells of its progress. */
void worker_watch(struct build *build, struct worker *worker);
/* True when both pipes have ended. */
bool worker_ended(const struct worker *worker);
/* Waits for the process (which has closed its pipes) and gives its result: 0 with worker->result,
 * or the worker's error. */
int worker_reap(struct worker *worker, struct varve_error *err);
void worker_kill(struct worker *worker); /* SIGKILL and reap; harmless when it has ended */
void worker_release(struct worker *worker);

#endif
