/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_compile.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

static int compile_copy(struct compiler *c, const struct recipe_step *from, struct plan_step *step,
			struct varve_error *err)
{
	CLEANUP(free_ptr) char *link = NULL;
	size_t i;
	int r = compile_reference(c, &from->argument, PLAN_NONE, &step->from, err);

	if (r == 0)
		r = compile_path(c, &from->to, true, &step->to, err);
	if (r == 0)
		r = compile_expand(c, &from->link, &link, err);
	if (r == 0 && link && *link)
		r = recipe_boolean(&from->link, link, &step->link, err);
	for (i = 0; r == 0 && i < from->exclude.count; i++) {
		char *pattern = NULL;

		r = compile_pattern(c, &from->exclude.items[i], &pattern, err);
		if (r == 0)
			strv_take(&step->exclude, pattern);
	}
	return r;
}

/* What the step needs, which fixes its date and so its environment. */
static int compile_content(struct compiler *c, const struct recipe_step *from,
			   struct plan_step *step, struct varve_error *err)
{
	switch (from->action) {
	case ACTION_INSTALL:
		return compile_install(c, from, step, err);
	case ACTION_COPY:
		return compile_copy(c, from, step, err);
	case ACTION_RUN:
	default:
		return compile_mounts(c, from, step, err);
	}
}

static int compile_jobs(struct compiler *c, const struct recipe_value *value, int64_t *ret,
			struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	int r = compile_expand_unkeyed(c, value, &text, err);

	if (r < 0 || !text || *text == '\0')
		return r;
	r = recipe_jobs(value, text, ret, err);
	if (r == 0 && *ret == 0)
		*ret = PLAN_JOBS_AUTO;
	return r;
}

static int compile_jobs_memory(struct compiler *c, const struct recipe_value *value, uint64_t *ret,
			       struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	int r = compile_expand(c, value, &text, err);

	return r < 0 || !text || *text == '\0' ? r : recipe_size(value, text, ret, err);
}

static int compile_command(struct compiler *c, const struct recipe_step *from, struct strv *argv,
			   struct varve_error *err)
{
	static const char *const shell[] = {"/bin/sh", "-eu", "-c"};
	size_t i;
	char *script = NULL;
	int r;

	if (!from->argument.text)
		return compile_values(c, &from->command, argv, err);
	r = compile_values(c, &from->shell, argv, err);
	for (i = 0; from->shell.count == 0 && i < ARRAY_SIZE(shell); i++)
		strv_add(argv, shell[i]);
	if (r == 0)
		r = compile_expand(c, &from->argument, &script, err);
	if (r == 0)
		strv_take(argv, script);
	return r;
}

static int compile_network(struct compiler *c, const struct recipe_value *value, bool *ret,
			   struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	int r = compile_expand(c, value, &text, err);

	if (r < 0)
		return r;
	*ret = str_equal(text, "host");
	if (!text || *ret || str_equal(text, "none"))
		return 0;
	return recipe_error(&value->at, err, "network \"%s\" is neither none nor host", text);
}

static int compile_secrets(struct compiler *c, const struct recipe_values *values, struct strv *ret,
			   struct varve_error *err)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	size_t i;
	int r = compile_values(c, values, &names, err);

	for (i = 0; r == 0 && i < names.count; i++)
		if (!strv_contains(ret, names.items[i]))
			strv_add(ret, names.items[i]);
	strv_sort(ret);
	return r;
}

static int compile_workdir(struct compiler *c, const struct recipe_value *value, char **ret,
			   struct varve_error *err)
{
	if (value->text)
		return compile_path(c, value, false, ret, err);
	*ret = xstrdup("/");
	return 0;
}

static int compile_user(struct compiler *c, const struct recipe_value *value, char **ret,
			struct varve_error *err)
{
	int r = compile_expand(c, value, ret, err);

	if (r == 0 && (!*ret || **ret == '\0')) {
		free(*ret);
		*ret = xstrdup("0:0");
	}
	return r;
}

static int compile_slurm(struct compiler *c, const struct recipe_pairs *pairs, struct strv *ret,
			 struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; i < pairs->count && r == 0; i++) {
		CLEANUP(free_ptr) char *value = NULL;

		r = compile_expand_unkeyed(c, &pairs->items[i].value, &value, err);
		if (r == 0 && value && *value)
			strv_addf(ret, "%s=%s", pairs->items[i].name.text, value);
	}
	strv_sort(ret);
	return r;
}

static int compile_process(struct compiler *c, const struct recipe_step *from,
			   struct plan_step *step, struct varve_error *err)
{
	int r = compile_workdir(c, &from->workdir, &step->workdir, err);

	if (r == 0 && step->action == ACTION_RUN)
		r = compile_command(c, from, &step->argv, err);
	if (r == 0)
		r = compile_user(c, &from->user, &step->user, err);
	if (r == 0)
		r = compile_network(c, &from->network, &step->network, err);
	if (r == 0)
		r = compile_secrets(c, &from->secrets, &step->secrets, err);
	return r;
}

static int fill_step(struct compiler *c, const struct recipe_step *from, struct plan_step *step,
		     struct varve_error *err)
{
	CLEANUP(strv_release) struct strv inherited = STRV_INIT;
	int r;

	strv_extend(&inherited, &c->plan->stages[step->stage].environment);
	c->environment = &inherited;
	r = compile_content(c, from, step, err);
	if (r < 0)
		return r;
	step->epoch = plan_step_epoch(c, step);
	r = compile_jobs(c, &from->jobs, &step->jobs, err);
	if (r == 0)
		r = compile_jobs_memory(c, &from->jobs_memory, &step->jobs_memory, err);
	if (r == 0)
		r = compile_slurm(c, &from->slurm, &step->slurm, err);
	if (r == 0)
		r = compile_step_environment(c, from, step, err);
	if (step->action != ACTION_COPY)
		c->environment = &step->environment;
	if (r == 0)
		r = compile_process(c, from, step, err);
	if (r == 0)
		r = compile_ownership(c, from, step, err);
	if (r == 0)
		r = compile_scrub(c, from, step, err);
	if (r == 0)
		r = compile_split(c, from, step, err);
	c->environment = NULL;
	return r;
}

/* One layer of a step. */
struct part {
	int stage, base;
	const struct strv *wheels; /* those of this layer; none: all */
	size_t number; /* from 0 */
};

static int add_step(struct compiler *c, const struct recipe_step *from, const struct part *part,
		    struct varve_error *err)
{
	struct plan *plan = c->plan;
	/* Filled apart from the list: compiling what it needs adds steps to that. */
	struct plan_step *step = xcalloc(1, sizeof(*step));
	int r;

	*step = (struct plan_step){.stage = part->stage,
				   .below = plan->stages[part->stage].top,
				   .base = part->base,
				   .at = from->at,
				   .action = from->action,
				   .part = part->number > 0};
	strv_extend(&step->wheels, part->wheels);
	step->name = part->number > 0 ? xasprintf("%s.%s", from->name.text, part->wheels->items[0])
				      : xstrdup(from->name.text);
	r = fill_step(c, from, step, err);
	plan->steps =
		array_grow(plan->steps, plan->step_count, &plan->step_alloc, sizeof(*plan->steps));
	plan->steps[plan->step_count] = *step;
	free(step);
	plan->stages[part->stage].top = (int)plan->step_count++;
	return r;
}

int compile_step(struct compiler *c, const struct recipe_step *from, int stage,
		 struct varve_error *err)
{
	CLEANUP(install_parts_release) struct install_parts parts = {0};
	struct part part = {.stage = stage, .base = c->plan->stages[stage].top};
	int r = compile_parts(c, from, part.base, &parts, err);

	for (; part.number < parts.count && r == 0; part.number++) {
		part.wheels = &parts.items[part.number];
		r = add_step(c, from, &part, err);
	}
	return r;
}
