/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_jobs.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

size_t layer_jobs_size(unsigned threads)
{
	return (size_t)threads * 2 + 1;
}

/* The next job to work on, marked as running; NULL: the end. Holds the mutex. */
static struct layer_job *take_job(struct layer_jobs *j)
{
	struct layer_job *job;

	while (!j->stop && j->ring[j->take]->state != LAYER_JOB_QUEUED)
		(void)pthread_cond_wait(&j->queued, &j->mutex);
	if (j->stop)
		return NULL;
	job = j->ring[j->take];
	job->state = LAYER_JOB_RUNNING;
	j->take = (j->take + 1) % j->size;
	return job;
}

static void *work(void *cookie)
{
	struct layer_jobs *j = cookie;
	void *worker = j->kind->begin(j->cookie);
	bool ok = worker != NULL;
	struct layer_job *job;

	(void)pthread_mutex_lock(&j->mutex);
	while ((job = take_job(j))) {
		(void)pthread_mutex_unlock(&j->mutex);
		ok = ok && j->kind->work(worker, job);
		(void)pthread_mutex_lock(&j->mutex);
		j->failed = j->failed || !ok;
		job->state = LAYER_JOB_DONE;
		(void)pthread_mutex_unlock(&j->mutex);
		(void)pthread_cond_signal(&j->done); /* who wakes up finds the mutex free */
		(void)pthread_mutex_lock(&j->mutex);
	}
	(void)pthread_mutex_unlock(&j->mutex);
	j->kind->end(worker);
	return NULL;
}

struct layer_job *layer_jobs_current(const struct layer_jobs *j)
{
	return j->ring[j->fill];
}

struct layer_job *layer_jobs_next(struct layer_jobs *j)
{
	j->fill = (j->fill + 1) % j->size;
	return j->ring[j->fill];
}

void layer_jobs_submit(struct layer_jobs *j)
{
	(void)pthread_mutex_lock(&j->mutex);
	j->ring[j->fill]->state = LAYER_JOB_QUEUED;
	(void)pthread_mutex_unlock(&j->mutex);
	(void)pthread_cond_signal(&j->queued);
	(void)layer_jobs_next(j);
}

int layer_jobs_wait(struct layer_jobs *j)
{
	struct layer_job *job = layer_jobs_current(j);
	bool used, failed;

	(void)pthread_mutex_lock(&j->mutex);
	used = job->state != LAYER_JOB_FREE;
	while (used && job->state != LAYER_JOB_DONE)
		(void)pthread_cond_wait(&j->done, &j->mutex);
	job->state = LAYER_JOB_FREE;
	failed = used && j->failed;
	(void)pthread_mutex_unlock(&j->mutex);
	return failed ? -VARVE_E_HOST : used;
}

static int start_threads(struct layer_jobs *j, unsigned threads)
{
	sigset_t all, before;
	int r = 0;

	/* Signals are for the threads of the caller. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (r == 0 && j->thread_count < threads) {
		r = pthread_create(&j->threads[j->thread_count], NULL, work, j);
		j->thread_count += r == 0;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return j->thread_count > 0 ? 0 : r; /* fewer do as well */
}

int layer_jobs_start(struct layer_jobs *j, const struct layer_jobs_kind *kind, void *cookie,
		     struct layer_job *const *jobs, unsigned threads, struct varve_error *err)
{
	int r;

	*j = (struct layer_jobs){.kind = kind, .cookie = cookie, .size = layer_jobs_size(threads)};
	(void)pthread_mutex_init(&j->mutex, NULL);
	(void)pthread_cond_init(&j->queued, NULL);
	(void)pthread_cond_init(&j->done, NULL);
	j->ring = xcalloc(j->size, sizeof(struct layer_job *));
	memcpy(j->ring, jobs, j->size * sizeof(struct layer_job *));
	j->threads = xcalloc(threads, sizeof(*j->threads));
	r = start_threads(j, threads);
	if (r == 0)
		return 0;
	layer_jobs_stop(j);
	return varve_error_set(err, -r, "start a thread for compression");
}

void layer_jobs_stop(struct layer_jobs *j)
{
	if (!j->ring)
		return;
	(void)pthread_mutex_lock(&j->mutex);
	j->stop = true;
	(void)pthread_cond_broadcast(&j->queued);
	(void)pthread_mutex_unlock(&j->mutex);
	for (unsigned i = 0; i < j->thread_count; i++)
		(void)pthread_join(j->threads[i], NULL);
	(void)pthread_mutex_destroy(&j->mutex);
	(void)pthread_cond_destroy(&j->queued);
	(void)pthread_cond_destroy(&j->done);
	free(j->threads);
	free(j->ring);
	j->ring = NULL;
}
