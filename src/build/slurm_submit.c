/* SPDX-License-Identifier: Apache-2.0
 * Steps become jobs: joined where another varve has submitted them, else submitted. */
#include "build/slurm_executor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/tempfile.h"

enum { ANSWER_LIMIT = 1 << 20, TASKS_DEFAULT = 1000 };

/* One submission of many steps. */
struct submission {
	struct slurm_executor *slurm;
	struct build *build;
	struct varve_digest *promises; /* per step of the plan */
	struct slurm_job *jobs; /* per step of the plan; id 0: none */
	struct slurm_step *steps; /* those that are new, in the order of the plan */
	size_t count;
	struct slurm_groups groups;
	size_t *order; /* indexes of steps, by group and task */
	char *plan; /* path of the plan; NULL: it is in the script */
};

static void submission_release(struct submission *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free(s->steps[i].name);
		strv_release(&s->steps[i].resources);
		free(s->steps[i].needs);
	}
	free(s->steps);
	free(s->promises);
	free(s->jobs);
	free(s->order);
	free(s->plan);
	slurm_groups_release(&s->groups);
}

static void watch(struct submission *s, int step, const char *name, const struct slurm_job *job,
		  bool own)
{
	struct slurm_executor *slurm = s->slurm;

	slurm->watches =
		array_grow(slurm->watches, slurm->count, &slurm->alloc, sizeof(*slurm->watches));
	slurm->watches[slurm->count++] =
		(struct slurm_watch){.step = step, .name = xstrdup(name), .job = *job, .own = own};
	s->jobs[step] = *job;
}

/* --- what runs already ---------------------------------------------------------------------------
 */

static int join(struct submission *s, const int *steps, size_t count, struct varve_error *err)
{
	CLEANUP(slurm_queue_release) struct slurm_queue queue = {0};
	int r = slurm_queue_read(&queue, err);

	if (r == 0)
		slurm_prune(s->build->store, &queue);
	else
		varve_error_hint(err, "--executor slurm needs Slurm's programs on this machine");
	for (size_t i = 0; i < count && r == 0; i++) {
		CLEANUP(free_ptr) char *name = plan_step_name(s->build->plan, steps[i]);
		struct slurm_job job;

		if (slurm_ledger_read(s->build->store, &s->promises[steps[i]], &job) &&
		    slurm_is_alive(slurm_queue_find(&queue, &job)))
			watch(s, steps[i], name, &job, false);
	}
	return r > -1024 && r < 0 ? -VARVE_E_HOST : r;
}

/* --- what is new ---------------------------------------------------------------------------------
 */

static void fill_step(struct submission *s, int index, struct slurm_step *ret)
{
	const struct plan_step *step = &s->build->plan->steps[index];
	size_t room = plan_needs_room(s->build->plan, index), count;
	CLEANUP(strv_release) struct strv fields = STRV_INIT;
	CLEANUP(free_ptr) int *needs = xcalloc(room + 1, sizeof(*needs));

	*ret = (struct slurm_step){.step = index, .name = plan_step_name(s->build->plan, index)};
	strv_extend(&fields, s->slurm->options->fields);
	for (size_t i = 0; i < step->slurm.count; i++) {
		CLEANUP(free_ptr)
		char *name = xstrndup(step->slurm.items[i], strcspn(step->slurm.items[i], "="));

		strv_setenv(&fields, name, strchr(step->slurm.items[i], '=') + 1);
	}
	slurm_resources(&fields, step->jobs, step->jobs_memory, &ret->resources);
	count = plan_needs(s->build->plan, index, needs, room);
	ret->needs = xcalloc(count + 1, sizeof(*ret->needs));
	for (size_t i = 0; i < count; i++)
		if (!s->build->known[needs[i]].known)
			ret->needs[ret->need_count++] = needs[i];
}

static void list_new(struct submission *s, const int *steps, size_t count)
{
	s->steps = xcalloc(count + 1, sizeof(*s->steps));
	for (size_t i = 0; i < count; i++)
		if (s->jobs[steps[i]].id == 0)
			fill_step(s, steps[i], &s->steps[s->count++]);
}

/* One sort for all groups: their steps stand together, tasks ascending. */
static int compare_places(const void *a, const void *b, void *cookie)
{
	const struct submission *s = cookie;
	const struct slurm_step *x = &s->steps[*(const size_t *)a];
	const struct slurm_step *y = &s->steps[*(const size_t *)b];

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return (x->task > y->task) - (x->task < y->task);
}

/* Tasks of an array are numbered below MaxArraySize. */
static size_t array_maximum(void)
{
	static const char *const argv[] = {"scontrol", "show", "config", NULL};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const char *at;

	if (process_capture(argv, ANSWER_LIMIT, &text, NULL) < 0)
		return TASKS_DEFAULT;
	at = strstr(buf_text(&text), "MaxArraySize");
	at = at ? strchr(at, '=') : NULL;
	return at && strtoul(at + 1, NULL, 10) > 0 ? strtoul(at + 1, NULL, 10) : TASKS_DEFAULT;
}

static void group(struct submission *s)
{
	s->groups.maximum = s->count > 1 ? array_maximum() : 1;
	slurm_group(s->steps, s->count, &s->groups);
	s->order = xcalloc(s->count + 1, sizeof(*s->order));
	for (size_t i = 0; i < s->count; i++)
		s->order[i] = i;
	qsort_r(s->order, s->count, sizeof(*s->order), compare_places, s);
}

/* --- sbatch --------------------------------------------------------------------------------------
 */

/* Steps of one group, in the order of tasks. */
struct call {
	const struct slurm_group *group;
	const size_t *order;
	size_t count;
};

static const struct slurm_step *step_at(const struct submission *s, const struct call *call,
					size_t i)
{
	return &s->steps[call->order[i]];
}

static void add_dependency(const struct submission *s, const struct call *call,
			   const uint32_t *submitted, struct strv *argv)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const struct slurm_group *group = call->group;
	const struct slurm_step *lone = step_at(s, call, 0);
	char job[SLURM_JOB_TEXT];

	if (group->after >= 0 && group->of == SLURM_EACH)
		buf_addf(&text, ",aftercorr:%u", submitted[group->after]);
	else if (group->after >= 0)
		buf_addf(&text, ",afterok:%s",
			 slurm_job_text(&(struct slurm_job){submitted[group->after], group->of},
					job));
	for (size_t i = 0; group->after < 0 && i < lone->need_count; i++)
		buf_addf(&text, ",afterok:%s", slurm_job_text(&s->jobs[lone->needs[i]], job));
	if (text.len > 0)
		strv_addf(argv, "--dependency=%s", buf_text(&text) + 1);
}

static void add_output(const struct submission *s, bool is_array, struct strv *argv)
{
	const char *store = store_path(s->build->store);

	if (s->slurm->options->shared)
		strv_addf(argv, "--output=%s/slurm/output/%s", store, is_array ? "%A_%a" : "%j");
	else
		strv_add(argv, "--output=/dev/null");
	strv_add(argv, "--open-mode=append");
}

static void write_script(const struct submission *s, const struct call *call, struct buf *ret)
{
	CLEANUP(free_ptr) int *tasks = xcalloc(call->count + 1, sizeof(*tasks));
	CLEANUP(free_ptr) const char **names = xcalloc(call->count + 1, sizeof(*names));
	CLEANUP(free_ptr) char *results = NULL;
	CLEANUP(free_ptr) char *output = NULL;

	for (size_t i = 0; i < call->count; i++) {
		tasks[i] = step_at(s, call, i)->task;
		names[i] = step_at(s, call, i)->name;
	}
	if (s->slurm->options->shared)
		results = xasprintf("%s/slurm/results", store_path(s->build->store));
	if (s->slurm->options->shared && call->group->of != SLURM_EACH)
		output = xasprintf("%s/slurm/output", store_path(s->build->store));
	slurm_write_script(&(struct slurm_script){.command = s->slurm->options->command,
						  .plan = s->plan,
						  .text = s->slurm->options->plan,
						  .results = results,
						  .output = output,
						  .tasks = tasks,
						  .names = names,
						  .count = call->count},
			   ret);
}

static void add_tasks(const struct submission *s, const struct call *call, struct strv *argv)
{
	CLEANUP(free_ptr) int *tasks = xcalloc(call->count + 1, sizeof(*tasks));
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	for (size_t i = 0; i < call->count; i++)
		tasks[i] = step_at(s, call, i)->task;
	if (call->count == 0 || tasks[0] == SLURM_ALONE)
		return;
	slurm_write_tasks(tasks, call->count, &text);
	strv_addf(argv, "--array=%s", buf_text(&text));
}

static int run_sbatch(const struct strv *argv, const struct buf *script, uint32_t *ret,
		      struct varve_error *err)
{
	CLEANUP(fd_close) int input = memfd_create("sbatch", MFD_CLOEXEC);
	CLEANUP(buf_release) struct buf answer = BUF_INIT;
	struct process_spec spec = {.argv = (const char *const *)argv->items,
				    .stdin_fd = input,
				    .stdout_fd = -1,
				    .stderr_fd = -1};
	int r;

	if (input < 0 || fd_write_all(input, buf_text(script), script->len) < 0 ||
	    lseek(input, 0, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "write a batch script");
	r = process_capture_spec(&spec, ANSWER_LIMIT, &answer, err);
	if (r < 0)
		return r > -1024 ? r : -VARVE_E_HOST;
	if (!slurm_parse_submitted(buf_text(&answer), ret))
		return varve_error_set(err, -VARVE_E_HOST, "sbatch answers \"%.100s\"",
				       buf_text(&answer));
	return 0;
}

static int submit(struct submission *s, const struct call *call, uint32_t *submitted,
		  struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(buf_release) struct buf script = BUF_INIT;
	const struct slurm_step *first = step_at(s, call, 0);
	bool is_array = first->task != SLURM_ALONE;

	strv_add(&argv, "sbatch");
	strv_add(&argv, "--parsable");
	strv_add(&argv, "--requeue");
	strv_add(&argv, "--kill-on-invalid-dep=yes");
	strv_addf(&argv, "--job-name=varve:%s%s%s", s->build->plan->recipe_name,
		  call->count > 1 ? "" : ":", call->count > 1 ? "" : first->name);
	add_dependency(s, call, submitted, &argv);
	add_output(s, is_array, &argv);
	strv_extend(&argv, &first->resources);
	add_tasks(s, call, &argv);
	write_script(s, call, &script);
	return run_sbatch(&argv, &script, &submitted[call->group - s->groups.items], err);
}

static int note(struct submission *s, const struct call *call, uint32_t id, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; i < call->count && r == 0; i++) {
		const struct slurm_step *step = step_at(s, call, i);
		const struct slurm_job job = {id, step->task};

		watch(s, step->step, step->name, &job, true);
		r = slurm_ledger_write(s->build->store, &s->promises[step->step], &job, step->name,
				       err);
	}
	return r;
}

static int submit_all(struct submission *s, struct varve_error *err)
{
	CLEANUP(free_ptr) uint32_t *submitted = xcalloc(s->groups.count + 1, sizeof(*submitted));
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; i < s->groups.count && r == 0; i++) {
		const struct call call = {&s->groups.items[i], s->order + at,
					  s->groups.items[i].count};

		r = submit(s, &call, submitted, err);
		if (r == 0)
			r = note(s, &call, submitted[i], err);
		at += call.count;
	}
	return r;
}

/* --- all of it -----------------------------------------------------------------------------------
 */

static int ship(struct submission *s, struct varve_error *err)
{
	const char *text = s->slurm->options->plan;
	CLEANUP(fd_close) int directory = -1;
	struct varve_digest digest;
	char hex[VARVE_DIGEST_HEX], name[VARVE_DIGEST_HEX + 8];
	int r;

	if (!s->slurm->options->shared)
		return 0;
	digest_bytes(text, strlen(text), &digest);
	snprintf(name, sizeof(name), "%s.json", varve_digest_hex(&digest, hex));
	s->plan = xasprintf("%s/slurm/plans/%s", store_path(s->build->store), name);
	r = store_open_dir(s->build->store, "slurm/plans", &directory, err);
	return r < 0 ? r : tempfile_write(directory, name, text, strlen(text), false, err);
}

/* sbatch does not make them. */
static int make_places(struct submission *s, struct varve_error *err)
{
	static const char *const names[] = {"slurm/output", "slurm/results"};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		CLEANUP(fd_close) int directory = -1;

		r = store_open_dir(s->build->store, names[i], &directory, err);
	}
	return r;
}

static int compare_watches(const void *a, const void *b)
{
	return slurm_job_compare(&((const struct slurm_watch *)a)->job,
				 &((const struct slurm_watch *)b)->job);
}

/* Who submits looks first, and nobody else submits between look and note. */
int slurm_submit(struct slurm_executor *slurm, struct build *build, const int *steps, size_t count,
		 struct varve_error *err)
{
	CLEANUP(submission_release) struct submission s = {.slurm = slurm, .build = build};
	CLEANUP(fd_close) int lock = -1;
	int r;

	s.promises = xcalloc(build->plan->step_count + 1, sizeof(*s.promises));
	s.jobs = xcalloc(build->plan->step_count + 1, sizeof(*s.jobs));
	slurm_promises(build, s.promises);
	r = store_lock(build->store, "slurm-submit", true, true, &lock, err);
	if (r == 0)
		r = make_places(&s, err);
	if (r == 0)
		r = ship(&s, err);
	if (r == 0)
		r = join(&s, steps, count, err);
	if (r < 0)
		return r;
	list_new(&s, steps, count);
	group(&s);
	r = submit_all(&s, err);
	if (slurm->count > 0)
		qsort(slurm->watches, slurm->count, sizeof(*slurm->watches), compare_watches);
	return r;
}
