/* SPDX-License-Identifier: Apache-2.0
 * What becomes of submitted steps: results that jobs leave in a shared store, and what squeue says
 * of those that leave none. */
#include "build/slurm_executor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/process.h"

/* In ms. A result may come later than squeue says that its job is over: over NFS some seconds. */
enum { LOOK_EVERY = 100, ASK_EVERY = 1000, LATE_DONE = 5, LATE_FAILED = 2 };
enum { RESULT_LIMIT = 1 << 20, READ_AT_ONCE = 256 << 10, TAIL_LINES = 12 };

static struct slurm_watch *find_watch(struct slurm_executor *slurm, const struct slurm_job *job)
{
	size_t low = 0, high = slurm->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (slurm_job_compare(&slurm->watches[middle].job, job) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < slurm->count && slurm_job_compare(&slurm->watches[low].job, job) == 0
		       ? &slurm->watches[low]
		       : NULL;
}

/* --- output --------------------------------------------------------------------------------------
 */

static void keep_tail(struct slurm_watch *watch, const char *text)
{
	struct strv *tail = &watch->tail;

	if (tail->count == TAIL_LINES) {
		free(tail->items[0]);
		memmove(tail->items, tail->items + 1, tail->count * sizeof(*tail->items));
		tail->count--;
	}
	strv_add(tail, text);
}

/* Events of a step that are as good here as there. What tells of beginning and end comes from us.
 */
static bool parse_kind(const char *name, enum varve_event_kind *ret)
{
	static const struct {
		const char *name;
		enum varve_event_kind kind;
	} kinds[] = {{"output", VARVE_EVENT_OUTPUT},
		     {"compile", VARVE_EVENT_COMPILE},
		     {"fetch", VARVE_EVENT_FETCH},
		     {"layer", VARVE_EVENT_LAYER},
		     {"notice", VARVE_EVENT_NOTICE}};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0) {
			*ret = kinds[i].kind;
			return true;
		}
	return false;
}

static void hear_daemon(struct slurm_watch *watch, const char *text, size_t len)
{
	CLEANUP(free_ptr) char *line = xstrndup(text, len);

	if (!watch->memory && slurm_tells_memory(line))
		watch->memory = xstrdup(line);
}

static void hear_line(struct build *build, struct slurm_watch *watch, const char *text, size_t len)
{
	CLEANUP(json_decrefp) json_t *line = NULL;
	struct varve_event event = {.step = watch->name};

	if (json_parse(text, len, "output", &line, NULL) < 0) {
		hear_daemon(watch, text, len);
		return;
	}
	if (!json_is_object(line) ||
	    !parse_kind(json_optional_string(line, "event", ""), &event.kind))
		return;
	event.text = json_optional_string(line, "text", NULL);
	(void)json_get_u64(line, "done", &event.done, NULL);
	(void)json_get_u64(line, "total", &event.total, NULL);
	(void)json_get_u64(line, "memory", &event.memory, NULL);
	if (event.kind == VARVE_EVENT_OUTPUT)
		keep_tail(watch, event.text ? event.text : "");
	build_event(build, &event);
}

static void read_output(struct slurm_executor *slurm, struct build *build,
			struct slurm_watch *watch)
{
	CLEANUP(free_ptr) char *block = NULL;
	CLEANUP(fd_close) int fd = -1;
	char path[32 + SLURM_JOB_TEXT], job[SLURM_JOB_TEXT];
	char *at, *end;
	ssize_t len;

	if (!slurm->options->shared)
		return;
	snprintf(path, sizeof(path), "slurm/output/%s", slurm_job_text(&watch->job, job));
	fd = openat(store_dirfd(build->store), path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	block = xcalloc(1, READ_AT_ONCE);
	while ((len = pread(fd, block, READ_AT_ONCE, (off_t)watch->read)) > 0) {
		for (at = block; (end = memchr(at, '\n', (size_t)(block + len - at))); at = end + 1)
			hear_line(build, watch, at, (size_t)(end - at));
		/* A line that never ends is passed over. */
		if (at == block && len < READ_AT_ONCE)
			return;
		watch->read += (uint64_t)(at == block ? len : at - block);
	}
}

/* --- ends ----------------------------------------------------------------------------------------
 */

static void note_end(struct slurm_watch *watch, struct executor_end *ret)
{
	watch->ended = true;
	watch->phase = SLURM_DONE;
	*ret = (struct executor_end){.step = watch->step};
}

static int explain(const struct slurm_watch *watch, struct executor_end *ret)
{
	char job[SLURM_JOB_TEXT];
	const char *const argv[] = {
		"scontrol", "show", "job", "--oneliner", slurm_job_text(&watch->job, job), NULL};
	CLEANUP(buf_release) struct buf line = BUF_INIT;
	CLEANUP(buf_release) struct buf why = BUF_INIT;
	CLEANUP(buf_release) struct buf hint = BUF_INIT;

	if (process_capture(argv, RESULT_LIMIT, &line, NULL) == 0)
		slurm_explain(buf_text(&line), watch->memory, &why, &hint);
	else
		buf_addf(&why, "its job ended as %s", watch->where);
	ret->result = -VARVE_E_STEP;
	ret->error = xasprintf("%s (Slurm's job %s)", buf_text(&why), job);
	if (hint.len > 0)
		strv_add(&ret->hints, buf_text(&hint));
	return 1;
}

/* What step run left. false: nothing (yet). */
static bool read_result(const struct build *build, const struct slurm_watch *watch,
			struct executor_end *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *result = NULL;
	char path[32 + SLURM_JOB_TEXT], job[SLURM_JOB_TEXT];

	snprintf(path, sizeof(path), "slurm/results/%s", slurm_job_text(&watch->job, job));
	if (fd_read_file(store_dirfd(build->store), path, RESULT_LIMIT, &text, NULL) < 0 ||
	    json_parse(buf_text(&text), text.len, path, &result, NULL) < 0)
		return false;
	ret->result = (int)json_integer_value(json_object_get(result, "result"));
	if (ret->result < 0)
		ret->error = xstrdup(json_optional_string(result, "error", "failed"));
	return true;
}

/* A job that is over by what Slurm says: done, failed, or forgotten. */
static int settle(struct slurm_executor *slurm, struct build *build, struct slurm_watch *watch,
		  struct executor_end *ret)
{
	enum slurm_phase phase = watch->phase;

	read_output(slurm, build, watch);
	note_end(watch, ret);
	if (read_result(build, watch, ret))
		return 1;
	/* What a done one made is looked for; a forgotten one may have made it, too. */
	return phase == SLURM_FAILED ? explain(watch, ret) : 1;
}

static bool is_over(const struct slurm_executor *slurm, const struct slurm_watch *watch)
{
	unsigned late = watch->phase == SLURM_FAILED ? LATE_FAILED : LATE_DONE;

	return !watch->ended && watch->missing >= (slurm->options->shared ? late : 1);
}

/* --- what squeue says ----------------------------------------------------------------------------
 */

static void tell_state(struct build *build, struct slurm_watch *watch,
		       const struct slurm_state *state)
{
	char job[SLURM_JOB_TEXT];
	CLEANUP(free_ptr)
	char *text = xasprintf("job %s: %s%s%s", slurm_job_text(&watch->job, job),
			       state->phase == SLURM_PENDING ? "waits" : "runs",
			       state->phase == SLURM_PENDING ? ", " : " on ", state->where);

	build_event(build, &(struct varve_event){
				   .kind = VARVE_EVENT_JOB, .step = watch->name, .text = text});
}

static void take_state(struct build *build, struct slurm_watch *watch,
		       const struct slurm_state *state)
{
	bool goes_on = slurm_is_alive(state);

	watch->missing = goes_on ? 0 : watch->missing + 1;
	if (goes_on && (watch->phase != state->phase || strcmp(watch->where, state->where) != 0))
		tell_state(build, watch, state);
	if (!state)
		return;
	watch->phase = state->phase;
	snprintf(watch->where, sizeof(watch->where), "%s", goes_on ? state->where : state->word);
}

/* A queue that does not answer now may do so later: jobs go on meanwhile. */
static void ask(struct slurm_executor *slurm, struct build *build)
{
	CLEANUP(slurm_queue_release) struct slurm_queue queue = {0};

	slurm->asked = clock_ms();
	if (slurm_queue_read(&queue, NULL) < 0)
		return;
	for (size_t i = 0; i < slurm->count; i++)
		if (!slurm->watches[i].ended)
			take_state(build, &slurm->watches[i],
				   slurm_queue_find(&queue, &slurm->watches[i].job));
}

/* --- results that are there ----------------------------------------------------------------------
 */

/* One reading of the directory tells of all jobs. Returns 1 with the first that has ended. */
static int look(struct slurm_executor *slurm, struct build *build, struct executor_end *ret)
{
	CLEANUP(fd_close) int directory = -1;
	const struct dirent *entry;
	DIR *results;
	int found = 0;

	if (!slurm->options->shared ||
	    store_open_dir(build->store, "slurm/results", &directory, NULL) < 0)
		return 0;
	results = fdopendir(directory);
	if (!results)
		return 0;
	directory = -1;
	while (!found && (entry = readdir(results))) {
		struct slurm_watch *watch = NULL;
		struct slurm_job job;

		if (slurm_parse_job(entry->d_name, &job))
			watch = find_watch(slurm, &job);
		if (!watch || watch->ended)
			continue;
		watch->phase = SLURM_DONE;
		found = settle(slurm, build, watch, ret);
	}
	closedir(results);
	return found;
}

static int wait_one(void *cookie, struct build *build, struct executor_end *ret,
		    struct varve_error *err)
{
	struct slurm_executor *slurm = cookie;
	int64_t now = clock_ms();

	(void)err;
	if (now - slurm->asked >= ASK_EVERY)
		ask(slurm, build);
	for (size_t i = 0; i < slurm->count; i++) {
		struct slurm_watch *watch = &slurm->watches[i];

		if (!watch->ended && watch->phase == SLURM_RUNNING &&
		    now - slurm->looked >= LOOK_EVERY)
			read_output(slurm, build, watch);
	}
	if (now - slurm->looked >= LOOK_EVERY && look(slurm, build, ret))
		return 1;
	slurm->looked = now;
	for (size_t i = 0; i < slurm->count; i++)
		if (is_over(slurm, &slurm->watches[i]))
			return settle(slurm, build, &slurm->watches[i], ret);
	return 0;
}

static void log_of(void *cookie, struct build *build, int step, struct buf *ret)
{
	const struct slurm_executor *slurm = cookie;

	(void)build;
	for (size_t i = 0; i < slurm->count; i++) {
		const struct strv *tail = &slurm->watches[i].tail;

		if (slurm->watches[i].step != step)
			continue;
		for (size_t k = 0; k < tail->count; k++)
			buf_addf(ret, "%s%s", k > 0 ? "\n" : "", tail->items[k]);
	}
}

/* Jobs of others stay. One whose step has ended may be going on with another. */
static void abort_all(void *cookie, struct build *build, bool spare_trees)
{
	struct slurm_executor *slurm = cookie;
	CLEANUP(free_ptr) struct slurm_job *jobs = xcalloc(slurm->count + 1, sizeof(*jobs));
	size_t count = 0;

	(void)build;
	(void)spare_trees; /* no job tells of them */
	for (size_t i = 0; i < slurm->count; i++)
		if (slurm->watches[i].own)
			jobs[count++] = slurm->watches[i].job;
	(void)slurm_cancel(jobs, count, NULL);
}

static int start(void *cookie, struct build *build, const int *steps, size_t count,
		 struct varve_error *err)
{
	return slurm_submit(cookie, build, steps, count, err);
}

static bool leaves(void *cookie, bool stopped)
{
	const struct slurm_executor *slurm = cookie;
	const struct slurm_options *options = slurm->options;

	if (!stopped)
		return options->detach && slurm->count > 0;
	return options->leaves && options->leaves(options->cookie);
}

struct executor executor_of_slurm(struct slurm_executor *slurm)
{
	return (struct executor){.cookie = slurm,
				 .start = start,
				 .wait = wait_one,
				 .log = log_of,
				 .abort = abort_all,
				 .leaves = leaves,
				 .ahead = true,
				 .wants_sources = slurm->options->shared};
}

/* Jobs of which Slurm need not run what others went on with (slurm_script): they wait for nothing
 * but to say so, and nobody waits for them when all has ended. */
static void cancel_rest(struct slurm_executor *slurm)
{
	CLEANUP(slurm_queue_release) struct slurm_queue queue = {0};
	CLEANUP(free_ptr) struct slurm_job *jobs = xcalloc(slurm->count + 1, sizeof(*jobs));
	size_t count = 0;

	for (size_t i = 0; i < slurm->count; i++)
		if (slurm->watches[i].own && !slurm->watches[i].ended)
			return;
	if (slurm->count == 0 || slurm_queue_read(&queue, NULL) < 0)
		return;
	for (size_t i = 0; i < slurm->count; i++) {
		const struct slurm_state *state = slurm_queue_find(&queue, &slurm->watches[i].job);

		if (slurm->watches[i].own && state && state->phase == SLURM_PENDING)
			jobs[count++] = state->job;
	}
	(void)slurm_cancel(jobs, count, NULL);
}

void slurm_executor_release(struct slurm_executor *slurm)
{
	cancel_rest(slurm);
	for (size_t i = 0; i < slurm->count; i++) {
		free(slurm->watches[i].name);
		free(slurm->watches[i].memory);
		strv_release(&slurm->watches[i].tail);
	}
	free(slurm->watches);
	*slurm = (struct slurm_executor){0};
}
