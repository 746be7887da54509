/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_place_files.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

/* Files go to the threads in batches, so that waking one costs little; each file holds a
 * descriptor, of which a process may have 1024. */
enum {
	BATCH_FILES = 24,
	BATCH_DATA = 512 << 10,
	BATCHES = PLACE_FILES_THREADS + 2,
};

struct file {
	int fd;
	size_t path, data, len; /* where in the batch's buffers */
	struct place_attributes a;
};

enum state { FREE, QUEUED, RUNNING, DONE };

struct batch {
	enum state state; /* of the mutex; the rest belongs to who works on the batch */
	struct file files[BATCH_FILES];
	size_t count;
	struct buf paths;
	unsigned char *data;
	size_t used;
	int result;
	struct varve_error error;
};

struct place_files {
	struct layer_place *place; /* borrowed */
	pthread_t threads[PLACE_FILES_THREADS];
	unsigned thread_count;
	struct batch *batches; /* a circle */
	size_t batch_count, fill; /* fill: the one that the caller works on */
	int result; /* of the first batch that failed */
	struct varve_error error;
	pthread_mutex_t mutex; /* of the states and of what follows */
	pthread_cond_t queued, done;
	size_t take; /* the next batch for a thread */
	bool stop;
};

static int write_one(const struct place_files *f, const struct batch *b, const struct file *file,
		     struct varve_error *err)
{
	const char *path = b->paths.data + file->path;
	int r = fd_write_all(file->fd, b->data + file->data, file->len);

	if (r < 0)
		return varve_error_set(err, r, "write %s", path);
	return layer_place_attributes(f->place, path, file->fd, &file->a, err);
}

static void write_batch(const struct place_files *f, struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		if (b->result == 0)
			b->result = write_one(f, b, &b->files[i], &b->error);
		fd_close(&b->files[i].fd);
	}
}

static void *work(void *cookie)
{
	struct place_files *f = cookie;

	(void)pthread_mutex_lock(&f->mutex);
	while (!f->stop) {
		struct batch *b = &f->batches[f->take];

		if (b->state != QUEUED) {
			(void)pthread_cond_wait(&f->queued, &f->mutex);
			continue;
		}
		b->state = RUNNING;
		f->take = (f->take + 1) % f->batch_count;
		(void)pthread_mutex_unlock(&f->mutex);
		write_batch(f, b);
		(void)pthread_mutex_lock(&f->mutex);
		b->state = DONE;
		(void)pthread_cond_signal(&f->done);
	}
	(void)pthread_mutex_unlock(&f->mutex);
	return NULL;
}

struct place_files *place_files_new(struct layer_place *place, unsigned threads)
{
	struct place_files *f = xcalloc(1, sizeof(*f));

	f->place = place;
	f->batch_count = threads > 0 ? BATCHES : 1;
	f->batches = xcalloc(f->batch_count, sizeof(*f->batches));
	for (size_t i = 0; i < f->batch_count; i++)
		f->batches[i].data = xmalloc(BATCH_DATA);
	(void)pthread_mutex_init(&f->mutex, NULL);
	(void)pthread_cond_init(&f->queued, NULL);
	(void)pthread_cond_init(&f->done, NULL);
	while (f->thread_count < threads && f->thread_count < PLACE_FILES_THREADS &&
	       pthread_create(&f->threads[f->thread_count], NULL, work, f) == 0)
		f->thread_count++;
	return f;
}

/* Waits until the caller may fill the batch, and hears what became of it. */
static void retire(struct place_files *f, struct batch *b)
{
	(void)pthread_mutex_lock(&f->mutex);
	while (b->state != FREE && b->state != DONE)
		(void)pthread_cond_wait(&f->done, &f->mutex);
	b->state = FREE;
	(void)pthread_mutex_unlock(&f->mutex);
	if (f->result == 0 && b->result < 0) {
		f->result = b->result;
		f->error = b->error;
	}
	b->result = 0;
	b->count = 0;
	b->used = 0;
	buf_reset(&b->paths);
}

static void submit(struct place_files *f)
{
	struct batch *b = &f->batches[f->fill];

	if (f->thread_count == 0) {
		write_batch(f, b);
	} else {
		(void)pthread_mutex_lock(&f->mutex);
		b->state = QUEUED;
		(void)pthread_cond_signal(&f->queued);
		(void)pthread_mutex_unlock(&f->mutex);
		f->fill = (f->fill + 1) % f->batch_count;
	}
	retire(f, &f->batches[f->fill]);
}

unsigned char *place_files_room(struct place_files *f)
{
	struct batch *b = &f->batches[f->fill];

	return b->data + b->used;
}

int place_files_add(struct place_files *f, int take_fd, const char *path, size_t len,
		    const struct place_attributes *a)
{
	struct batch *b = &f->batches[f->fill];

	b->files[b->count++] = (struct file){
		.fd = take_fd, .path = b->paths.len, .data = b->used, .len = len, .a = *a};
	b->files[b->count - 1].a.xattrs = NULL; /* the reader's, which goes on */
	buf_add(&b->paths, path, strlen(path) + 1);
	b->used += len;
	if (b->count == BATCH_FILES || BATCH_DATA - b->used < PLACE_FILES_SIZE)
		submit(f);
	return f->result;
}

int place_files_finish(struct place_files *f, struct varve_error *err)
{
	submit(f);
	for (size_t i = 0; i < f->batch_count; i++)
		retire(f, &f->batches[(f->fill + i) % f->batch_count]);
	if (f->result < 0 && err)
		*err = f->error;
	return f->result;
}

void place_files_freep(struct place_files **files)
{
	struct place_files *f = *files;

	*files = NULL;
	if (!f)
		return;
	(void)place_files_finish(f, NULL);
	(void)pthread_mutex_lock(&f->mutex);
	f->stop = true;
	(void)pthread_cond_broadcast(&f->queued);
	(void)pthread_mutex_unlock(&f->mutex);
	for (unsigned i = 0; i < f->thread_count; i++)
		(void)pthread_join(f->threads[i], NULL);
	for (size_t i = 0; i < f->batch_count; i++) {
		buf_release(&f->batches[i].paths);
		free(f->batches[i].data);
	}
	(void)pthread_mutex_destroy(&f->mutex);
	(void)pthread_cond_destroy(&f->queued);
	(void)pthread_cond_destroy(&f->done);
	free(f->batches);
	free(f);
}
