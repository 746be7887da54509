/* SPDX-License-Identifier: Apache-2.0
 * Which job makes which step: so that two builds do not submit the same step twice. */
#include "build/slurm_executor.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/tempfile.h"

enum { NOTE_LIMIT = 4096 };

/* Steps stand after what they need. */
void slurm_promises(const struct build *build, struct varve_digest *ret)
{
	for (size_t i = 0; i < build->plan->step_count; i++) {
		size_t room = plan_needs_room(build->plan, (int)i), count;
		CLEANUP(free_ptr) int *needs = xcalloc(room + 1, sizeof(*needs));
		CLEANUP(json_decrefp) json_t *input = NULL;
		struct hasher *h = hasher_new();
		struct varve_digest own = {{0}};
		int unknown;

		if (plan_input(build->plan, (int)i, NULL, &input, &unknown) == 0)
			json_digest(input, &own);
		hasher_update(h, own.bytes, VARVE_DIGEST_SIZE);
		count = plan_needs(build->plan, (int)i, needs, room);
		for (size_t k = 0; k < count; k++)
			hasher_update(h, ret[needs[k]].bytes, VARVE_DIGEST_SIZE);
		hasher_final(h, &ret[i]);
		hasher_free(h);
	}
}

/* "12_3 stage/step" */
static bool parse_note(const char *text, struct slurm_job *ret, const char **ret_name)
{
	size_t len = strcspn(text, " ");
	CLEANUP(free_ptr) char *job = xstrndup(text, len);

	*ret_name = text[len] ? text + len + 1 : "";
	return slurm_parse_job(job, ret);
}

bool slurm_ledger_read(struct varve_store *store, const struct varve_digest *promise,
		       struct slurm_job *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char path[32 + VARVE_DIGEST_HEX], hex[VARVE_DIGEST_HEX];
	const char *unused;

	snprintf(path, sizeof(path), "slurm/steps/%s", varve_digest_hex(promise, hex));
	return fd_read_file(store_dirfd(store), path, NOTE_LIMIT, &text, NULL) == 0 &&
	       parse_note(buf_text(&text), ret, &unused);
}

int slurm_ledger_write(struct varve_store *store, const struct varve_digest *promise,
		       const struct slurm_job *job, const char *name, struct varve_error *err)
{
	CLEANUP(fd_close) int directory = -1;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char hex[VARVE_DIGEST_HEX], number[SLURM_JOB_TEXT];
	int r = store_open_dir(store, "slurm/steps", &directory, err);

	if (r < 0)
		return r;
	buf_addf(&text, "%s %s", slurm_job_text(job, number), name);
	return tempfile_write(directory, varve_digest_hex(promise, hex), buf_text(&text), text.len,
			      false, err);
}

static void prune(struct varve_store *store, const char *place, const struct slurm_queue *queue)
{
	CLEANUP(fd_close) int directory = -1;
	struct dirent **entries = NULL;
	int count;

	if (store_open_dir(store, place, &directory, NULL) < 0)
		return;
	count = scandirat(directory, ".", &entries, NULL, NULL);
	for (int i = 0; i < count; i++) {
		CLEANUP(free_ptr)
		char *name = xstrndup(entries[i]->d_name, strcspn(entries[i]->d_name, "."));
		struct slurm_job job;

		/* JOB.part.NAME is a result that was never finished, JOB.taken says that somebody
		 * has begun its step. */
		if (slurm_parse_job(name, &job) && !slurm_queue_find(queue, &job))
			(void)unlinkat(directory, entries[i]->d_name, 0);
		free(entries[i]);
	}
	free(entries);
}

void slurm_prune(struct varve_store *store, const struct slurm_queue *queue)
{
	prune(store, "slurm/results", queue);
	prune(store, "slurm/output", queue);
}

/* A note whose job is in the queue. */
struct noted {
	struct slurm_state state;
	char *name; /* of its step; owned */
};
struct noted_list {
	struct noted *items;
	size_t count, alloc;
};

static void noted_list_release(struct noted_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].name);
	free(list->items);
}

static void read_note(int directory, const char *file, const struct slurm_queue *queue,
		      struct noted_list *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const struct slurm_state *state = NULL;
	struct slurm_job job;
	const char *name;

	if (fd_read_file(directory, file, NOTE_LIMIT, &text, NULL) == 0 &&
	    parse_note(buf_text(&text), &job, &name))
		state = slurm_queue_find(queue, &job);
	if (!state) {
		(void)unlinkat(directory, file, 0);
		return;
	}
	ret->items = array_grow(ret->items, ret->count, &ret->alloc, sizeof(*ret->items));
	ret->items[ret->count++] = (struct noted){*state, xstrdup(name)};
}

static int is_note(const struct dirent *entry)
{
	return strlen(entry->d_name) == VARVE_DIGEST_HEX - 1;
}

static int by_job(const void *a, const void *b)
{
	const struct noted *x = a, *y = b;
	int order = slurm_job_compare(&x->state.job, &y->state.job);

	return order ? order : strcmp(x->name, y->name);
}

int slurm_ledger_list(struct varve_store *store, slurm_ledger_each *each, void *cookie,
		      struct varve_error *err)
{
	CLEANUP(slurm_queue_release) struct slurm_queue queue = {0};
	CLEANUP(noted_list_release) struct noted_list list = {0};
	CLEANUP(fd_close) int directory = -1;
	struct dirent **entries = NULL;
	int count, r;

	r = slurm_queue_read(&queue, err);
	if (r == 0)
		r = store_open_dir(store, "slurm/steps", &directory, err);
	if (r < 0)
		return r;
	count = scandirat(directory, ".", &entries, is_note, NULL);
	for (int i = 0; i < count; i++) {
		read_note(directory, entries[i]->d_name, &queue, &list);
		free(entries[i]);
	}
	free(entries);
	if (list.count > 0)
		qsort(list.items, list.count, sizeof(*list.items), by_job);
	for (size_t i = 0; i < list.count; i++)
		each(cookie, &list.items[i].state, list.items[i].name);
	return 0;
}
