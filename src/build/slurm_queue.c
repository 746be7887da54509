/* SPDX-License-Identifier: Apache-2.0
 * squeue and scancel. */
#include "build/slurm_executor.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/process.h"

enum { QUEUE_LIMIT = 64 << 20, CANCEL_AT_ONCE = 500 };

int slurm_job_compare(const struct slurm_job *a, const struct slurm_job *b)
{
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return (a->task > b->task) - (a->task < b->task);
}

static int compare_states(const void *a, const void *b)
{
	return slurm_job_compare(&((const struct slurm_state *)a)->job,
				 &((const struct slurm_state *)b)->job);
}

void slurm_queue_release(struct slurm_queue *queue)
{
	free(queue->items);
	*queue = (struct slurm_queue){0};
}

static void add_lines(struct slurm_queue *queue, const char *text)
{
	while (*text) {
		struct slurm_state state;

		if (slurm_parse_state(text, &state)) {
			queue->items = array_grow(queue->items, queue->count, &queue->alloc,
						  sizeof(*queue->items));
			queue->items[queue->count++] = state;
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
}

int slurm_queue_read(struct slurm_queue *ret, struct varve_error *err)
{
	static const char format[] = "--format=" SLURM_QUEUE_FORMAT;
	static const char *const argv[] = {"squeue",       "--me", "--noheader", "--array",
					   "--states=all", format, NULL};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = process_capture(argv, QUEUE_LIMIT, &text, err);

	if (r < 0)
		return r;
	add_lines(ret, buf_text(&text));
	if (ret->count > 0)
		qsort(ret->items, ret->count, sizeof(*ret->items), compare_states);
	return 0;
}

const struct slurm_state *slurm_queue_find(const struct slurm_queue *queue,
					   const struct slurm_job *job)
{
	const struct slurm_state key = {.job = *job};

	return queue->count == 0
		       ? NULL
		       : bsearch(&key, queue->items, queue->count, sizeof(key), compare_states);
}

int slurm_cancel(const struct slurm_job *jobs, size_t count, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i += CANCEL_AT_ONCE) {
		CLEANUP(strv_release) struct strv argv = STRV_INIT;
		CLEANUP(buf_release) struct buf out = BUF_INIT;

		strv_add(&argv, "scancel");
		strv_add(&argv, "--quiet");
		for (size_t k = i; k < count && k < i + CANCEL_AT_ONCE; k++) {
			char text[SLURM_JOB_TEXT];

			strv_add(&argv, slurm_job_text(&jobs[k], text));
		}
		r = process_capture((const char *const *)argv.items, QUEUE_LIMIT, &out, err);
	}
	return r;
}
