/* SPDX-License-Identifier: Apache-2.0
 * The child's half of a worker. */
#ifndef BUILD_WORKER_MAIN_H
#define BUILD_WORKER_MAIN_H

#include "build/worker.h"

struct worker_job {
	struct build *build;
	enum worker_kind kind;
	int index;
	int result_fd; /* the worker writes its JSON lines here */
	int output_fd; /* for what commands print */
};

/* The whole life of a worker process; its argument is a struct worker_job. Returns its exit status.
 */
int worker_main(void *job);

#endif
