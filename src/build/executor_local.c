/* SPDX-License-Identifier: Apache-2.0
 * Steps made by forked workers, on this machine. */
#include "build/executor.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "build/worker_set.h"

struct executor_local {
	struct worker_set workers;
	struct worker last; /* the one that ended last, kept for its log */
};

static int start(void *cookie, struct build *build, const int *steps, size_t count,
		 struct varve_error *err)
{
	struct executor_local *local = cookie;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = worker_set_start(&local->workers, build, WORKER_STEP, steps[i], err);
	return r;
}

static size_t descriptors(void *cookie, struct pollfd *ret, size_t room)
{
	const struct executor_local *local = cookie;

	return local->workers.count * WORKER_DESCRIPTORS <= room
		       ? worker_set_descriptors(&local->workers, ret)
		       : 0;
}

/* What may help whose step failed in its command. */
static void add_hints(const struct build *build, const struct worker *worker, struct strv *ret)
{
	int64_t jobs = build->plan->steps[worker->index].jobs;
	CLEANUP(buf_release) struct buf memory = BUF_INIT;
	char hex[VARVE_DIGEST_HEX];

	compile_explain(&worker->compile, compile_kills(), (uint64_t)jobs, &memory);
	if (memory.len > 0)
		strv_add(ret, buf_text(&memory));
	if (worker->log_fd >= 0)
		strv_addf(ret, "log: %s/logs/%s.log", store_path(build->store),
			  varve_digest_hex(&build->steps[worker->index].key, hex));
	strv_addf(ret, "to look around: varve shell --failed RECIPE %s", worker->name);
}

static int wait_one(void *cookie, struct build *build, struct executor_end *ret,
		    struct varve_error *err)
{
	struct executor_local *local = cookie;
	struct varve_error why = {0};
	const json_t *notices;

	(void)err;
	worker_set_hear(&local->workers, build);
	*ret = (struct executor_end){.trees_only = true};
	if (worker_set_take_trees(&local->workers, &ret->step, &ret->layers))
		return 1;
	worker_release(&local->last);
	if (!worker_set_take_ended(&local->workers, &local->last))
		return 0;
	*ret = (struct executor_end){.step = local->last.index};
	ret->result = worker_reap(&local->last, &why);
	notices = json_object_get(local->last.result, "notices");
	for (size_t i = 0; i < json_array_size(notices); i++)
		strv_add(&ret->notices, json_string_value(json_array_get(notices, i)));
	if (ret->result < 0)
		ret->error = xstrdup(why.text);
	if (ret->result == -VARVE_E_STEP)
		add_hints(build, &local->last, &ret->hints);
	return 1;
}

static void log_of(void *cookie, struct build *build, int step, struct buf *ret)
{
	const struct executor_local *local = cookie;

	(void)build;
	if (local->last.index == step)
		worker_tail(&local->last, ret);
}

static void abort_steps(void *cookie, struct build *build, bool spare_trees)
{
	struct executor_local *local = cookie;

	(void)build;
	if (spare_trees)
		worker_set_kill_most(&local->workers);
	else
		worker_set_kill(&local->workers);
}

struct executor_local *executor_local_new(void)
{
	struct executor_local *local = xcalloc(1, sizeof(*local));

	local->last = (struct worker){.result_fd = -1, .output_fd = -1, .log_fd = -1, .index = -1};
	return local;
}

void executor_local_free(struct executor_local *local)
{
	if (!local)
		return;
	worker_set_release(&local->workers);
	worker_release(&local->last);
	free(local);
}

void executor_local_freep(struct executor_local **local)
{
	executor_local_free(*local);
}

struct executor executor_of_local(struct executor_local *local)
{
	return (struct executor){.cookie = local,
				 .start = start,
				 .descriptors = descriptors,
				 .wait = wait_one,
				 .log = log_of,
				 .abort = abort_steps,
				 .wants_sources = true};
}

void executor_end_release(struct executor_end *end)
{
	free(end->error);
	layer_list_release(&end->layers);
	strv_release(&end->hints);
	strv_release(&end->notices);
	*end = (struct executor_end){0};
}
