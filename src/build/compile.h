/* SPDX-License-Identifier: Apache-2.0
 * What a step that compiles shows of itself: how far ninja says it is, how much memory its
 * processes have, and whether one of them was killed for want of it. */
#ifndef BUILD_COMPILE_H
#define BUILD_COMPILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* All zero at the start. Memory is in bytes, as resident sets: a job's is what its largest process
 * had, since a compiler driver waits for one big process at a time. */
struct compile {
	uint64_t done, total; /* files, by the last status line; total 0: none came yet */
	uint64_t memory; /* of all its processes, now */
	uint64_t peak; /* the most that they had together */
	uint64_t largest; /* the most that one process had */
	uint64_t kills; /* of the kernel for want of memory on this host, when the step began */
	bool killed; /* a line said that a process was killed, or got no memory */
	int64_t sampled, told; /* when, in ms of the monotonic clock */
};

/* True for a status line of ninja in its usual form: "[12/85] ...". */
bool compile_parse_status(const char *line, uint64_t *ret_done, uint64_t *ret_total);
/* True for a line with which compilers, shells and linkers tell that memory ran out. */
bool compile_tells_kill(const char *line);
/* How many jobs would have fitted into peak; fewer than jobs, which did not; 0: not even one.
 * jobs 0: unknown. */
uint64_t compile_fitting_jobs(const struct compile *compile, uint64_t jobs);
/* For a step that failed: what to say of memory, in one sentence; nothing where it was not that.
 * kills: of the kernel, now. */
void compile_explain(const struct compile *compile, uint64_t kills, uint64_t jobs, struct buf *ret);

/* Looks at the processes below pid, at most once a second. True when it did. */
bool compile_sample(struct compile *compile, pid_t pid);
/* How often the kernel has killed for want of memory since it booted; 0 where it does not tell. */
uint64_t compile_kills(void);
#endif
