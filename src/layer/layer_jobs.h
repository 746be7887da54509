/* SPDX-License-Identifier: Apache-2.0
 * Pieces of a stream compressed on several threads and taken out in the order of the stream. The
 * jobs are a ring: filled by the owner, worked on by any worker, taken out by the owner when it
 * needs the place again. So memory is bounded, and no result depends on the number of threads. */
#ifndef LAYER_LAYER_JOBS_H
#define LAYER_LAYER_JOBS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <varve/error.h>

enum layer_job_state { LAYER_JOB_FREE, LAYER_JOB_QUEUED, LAYER_JOB_RUNNING, LAYER_JOB_DONE };

/* The first member of every kind of job. */
struct layer_job {
	enum layer_job_state state; /* guarded by the mutex of the jobs */
};

struct layer_jobs_kind {
	void *(*begin)(void *cookie); /* a worker's own memory; NULL: its jobs fail */
	bool (*work)(void *worker, struct layer_job *job); /* whether all went well */
	void (*end)(void *worker); /* takes NULL too */
};

struct layer_jobs {
	const struct layer_jobs_kind *kind;
	void *cookie;
	struct layer_job **ring; /* the jobs are the owner's, the array is not */
	size_t size;
	size_t fill; /* the job being filled: the owner's */
	pthread_t *threads;
	unsigned thread_count;
	pthread_mutex_t mutex; /* guards what follows, and the states */
	pthread_cond_t queued, done;
	size_t take; /* the next job for a worker */
	bool stop;
	bool failed; /* some job, or a worker at its start */
};

/* How many jobs keep that many threads busy. */
size_t layer_jobs_size(unsigned threads);
/* jobs: layer_jobs_size(threads) of them, all zero but for what the owner needs; they must stay
 * until layer_jobs_stop. */
int layer_jobs_start(struct layer_jobs *j, const struct layer_jobs_kind *kind, void *cookie,
		     struct layer_job *const *jobs, unsigned threads, struct varve_error *err);
/* The job being filled. */
struct layer_job *layer_jobs_current(const struct layer_jobs *j);
/* Hands it to the workers and goes on to the next one, which layer_jobs_wait makes free. */
void layer_jobs_submit(struct layer_jobs *j);
/* Waits until the current job can be filled again. 1: it holds a result to take out first; 0: it
 * was not used; -VARVE_E_HOST without a text: a job failed. */
int layer_jobs_wait(struct layer_jobs *j);
/* As layer_jobs_wait and on to the next, for the end of the stream: size - 1 times. */
struct layer_job *layer_jobs_next(struct layer_jobs *j);
/* Ends the threads; unfinished jobs are left. Harmless on what is all zero, and again. */
void layer_jobs_stop(struct layer_jobs *j);

#endif
