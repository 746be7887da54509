/* SPDX-License-Identifier: Apache-2.0
 * stages: and their steps. */
#include "recipe/recipe_parse.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

static int read_argument(const struct node *node, const struct schema_subject *subject,
			 void *object, struct varve_error *err);
static int read_ownership(const struct node *node, const struct schema_subject *subject,
			  void *object, struct varve_error *err);
static int read_split(const struct node *node, const struct schema_subject *subject, void *object,
		      struct varve_error *err);
static int read_steps(const struct node *node, const struct schema_subject *subject, void *object,
		      struct varve_error *err);

static const char *const step_kinds[] = {"an install step", "a copy step", "a run step", "a step",
					 NULL};
static const char *const stage_kinds[] = {"a stage", NULL};
static const char *const ownership_kinds[] = {"an ownership entry", NULL};
static const char *const split_kinds[] = {"a split", NULL};
static const char *const action_names[] = {"install", "copy", "run", NULL};

enum {
	ANY_ACTION = ACTION_RUN + 1, /* the kind of a step whose action is not known yet */
	INSTALL = 1 << ACTION_INSTALL | 1 << ANY_ACTION,
	COPY = 1 << ACTION_COPY | 1 << ANY_ACTION,
	RUN = 1 << ACTION_RUN | 1 << ANY_ACTION,
};

#define FIELD(name) offsetof(struct recipe_step, name)
static const struct schema_key step_keys[] = {
	{"step", SCHEMA_VALUE, FIELD(name), 0, SCHEMA_ALL, NAMES_NONE, NULL},
	{"install", SCHEMA_OWN, 0, INSTALL, 0, NAMES_NONE, read_argument},
	{"copy", SCHEMA_OWN, 0, COPY, 0, NAMES_NONE, read_argument},
	{"run", SCHEMA_OWN, 0, RUN, 0, NAMES_ANY, read_argument},
	{"if", SCHEMA_VALUE, FIELD(condition), 0, 0, NAMES_OPTIONS, NULL},
	{"to", SCHEMA_VALUE, FIELD(to), COPY, COPY, NAMES_ANY, NULL},
	{"exclude", SCHEMA_VALUES, FIELD(exclude), COPY, 0, NAMES_ANY, NULL},
	{"link", SCHEMA_VALUE, FIELD(link), COPY, 0, NAMES_OPTIONS, NULL},
	{"into", SCHEMA_VALUE, FIELD(into), INSTALL, 0, NAMES_ANY, NULL},
	{"layout", SCHEMA_VALUE, FIELD(layout), INSTALL, 0, NAMES_OPTIONS, NULL},
	{"bytecode", SCHEMA_VALUE, FIELD(bytecode), INSTALL, 0, NAMES_OPTIONS, NULL},
	{"environment", SCHEMA_PAIRS, FIELD(environment), INSTALL | RUN, 0, NAMES_ANY, NULL},
	{"unkeyed-environment", SCHEMA_PAIRS, FIELD(unkeyed_environment), RUN, 0,
	 NAMES_ANY | NAMES_UNKEYED, NULL},
	{"workdir", SCHEMA_VALUE, FIELD(workdir), RUN, 0, NAMES_ANY, NULL},
	{"user", SCHEMA_VALUE, FIELD(user), RUN, 0, NAMES_ANY, NULL},
	{"shell", SCHEMA_VALUES, FIELD(shell), RUN, 0, NAMES_ANY, NULL},
	{"mounts", SCHEMA_PAIRS, FIELD(mounts), RUN, 0, NAMES_ANY, NULL},
	{"caches", SCHEMA_PAIRS, FIELD(caches), RUN, 0, NAMES_OPTIONS, NULL},
	{"resume", SCHEMA_VALUE, FIELD(resume), RUN, 0, NAMES_ANY, NULL},
	{"secrets", SCHEMA_VALUES, FIELD(secrets), RUN, 0, NAMES_NONE, NULL},
	{"network", SCHEMA_VALUE, FIELD(network), RUN, 0, NAMES_OPTIONS, NULL},
	{"jobs", SCHEMA_VALUE, FIELD(jobs), RUN, 0, NAMES_OPTIONS | NAMES_UNKEYED, NULL},
	{"jobs-memory", SCHEMA_VALUE, FIELD(jobs_memory), RUN, 0, NAMES_OPTIONS, NULL},
	{"slurm", SCHEMA_PAIRS, FIELD(slurm), 0, 0, NAMES_OPTIONS | NAMES_UNKEYED, NULL},
	{"ownership", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, read_ownership},
	{"scrub", SCHEMA_VALUES, FIELD(scrub), 0, 0, NAMES_OPTIONS, NULL},
	{"split", SCHEMA_OWN, 0, 0, 0, NAMES_OPTIONS, read_split},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};
#undef FIELD
const struct schema schema_step = {step_keys, step_kinds};

#define FIELD(name) offsetof(struct recipe_ownership, name)
static const struct schema_key ownership_keys[] = {
	{"path", SCHEMA_VALUE, FIELD(path), 0, SCHEMA_ALL, NAMES_OPTIONS, NULL},
	{"uid", SCHEMA_VALUE, FIELD(uid), 0, 0, NAMES_OPTIONS, NULL},
	{"gid", SCHEMA_VALUE, FIELD(gid), 0, 0, NAMES_OPTIONS, NULL},
	{"mode", SCHEMA_VALUE, FIELD(mode), 0, 0, NAMES_OPTIONS, NULL},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};
#undef FIELD
const struct schema schema_ownership = {ownership_keys, ownership_kinds};

#define FIELD(name) offsetof(struct recipe_split, name)
static const struct schema_key split_keys[] = {
	{"wheels", SCHEMA_VALUE, FIELD(wheels), 0, 0, NAMES_OPTIONS, NULL},
	{"directories", SCHEMA_VALUES, FIELD(directories), 0, 0, NAMES_ANY, NULL},
	{"maximum", SCHEMA_VALUE, FIELD(maximum), 0, 0, NAMES_OPTIONS, NULL},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};
#undef FIELD
const struct schema schema_split = {split_keys, split_kinds};

#define FIELD(name) offsetof(struct recipe_stage, name)
static const struct schema_key stage_keys[] = {
	{"from", SCHEMA_VALUE, FIELD(from), 0, 0, NAMES_NONE, NULL},
	{"environment", SCHEMA_PAIRS, FIELD(environment), 0, 0, NAMES_ANY, NULL},
	{"steps", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, read_steps},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};
#undef FIELD
const struct schema schema_stage = {stage_keys, stage_kinds};

static void step_release(struct recipe_step *step)
{
	schema_release(&schema_step, step);
	value_release(&step->argument);
	values_release(&step->command);
	value_release(&step->split.word);
	schema_release(&schema_split, &step->split);
	for (size_t i = 0; i < step->ownership_count; i++)
		schema_release(&schema_ownership, &step->ownership[i]);
	free(step->ownership);
}

void stage_release(struct recipe_stage *stage)
{
	value_release(&stage->name);
	schema_release(&schema_stage, stage);
	for (size_t i = 0; i < stage->count; i++)
		step_release(&stage->steps[i]);
	free(stage->steps);
}

static int read_argument(const struct node *node, const struct schema_subject *subject,
			 void *object, struct varve_error *err)
{
	CLEANUP(free_ptr)
	char *what = xasprintf("\"%s\" of %s", action_names[subject->kind], subject->label);
	struct recipe_step *step = object;

	if (step->action == ACTION_RUN && node->type == NODE_LIST)
		return schema_values(node, what, &step->command, err);
	return schema_value(node, what, &step->argument, err);
}

/* A word about the step as a whole; false: it is none. */
static bool read_ownership_word(const struct node *node, struct recipe_step *step)
{
	if (node->type != NODE_SCALAR)
		return false;
	if (str_equal(node->text, "strict"))
		step->ownership_strict = true;
	else if (str_equal(node->text, "fast"))
		step->ownership_fast = true;
	else
		return false;
	return true;
}

static int read_ownership(const struct node *node, const struct schema_subject *subject,
			  void *object, struct varve_error *err)
{
	struct recipe_step *step = object;
	CLEANUP(free_ptr) char *label = xasprintf("\"ownership\" of %s", subject->label);
	const struct schema_subject entry = {label, 0};
	int r = 0;

	if (read_ownership_word(node, step))
		return 0;
	if (node->type != NODE_LIST)
		return recipe_error(&node->at, err,
				    "%s must be \"strict\", \"fast\" or a list of {path, uid, gid, "
				    "mode}",
				    label);
	for (size_t i = 0; r == 0 && i < node->count; i++) {
		if (read_ownership_word(node->members[i].value, step))
			continue;
		step->ownership = array_grow(step->ownership, step->ownership_count,
					     &step->ownership_alloc, sizeof(*step->ownership));
		r = schema_read(&schema_ownership, &entry, node->members[i].value,
				&step->ownership[step->ownership_count++], err);
	}
	return r;
}

/* A word, or a map. */
static int read_split(const struct node *node, const struct schema_subject *subject, void *object,
		      struct varve_error *err)
{
	struct recipe_step *step = object;
	CLEANUP(free_ptr) char *label = xasprintf("\"split\" of %s", subject->label);
	const struct schema_subject entry = {label, 0};

	if (node->type == NODE_SCALAR)
		return schema_value(node, label, &step->split.word, err);
	if (node->type == NODE_MAP)
		return schema_read(&schema_split, &entry, node, &step->split, err);
	return recipe_error(&node->at, err,
			    "%s must be \"wheels\", \"none\" or {directories, maximum, wheels}",
			    label);
}

static char *step_label(const struct node *map, const char *stage)
{
	const struct node *name = map->type == NODE_MAP ? node_get(map, "step") : NULL;

	if (!name || name->type != NODE_SCALAR)
		return xasprintf("a step of stage \"%s\"", stage);
	return xasprintf("step \"%s\"", name->text);
}

static int read_action(const struct node *map, const char *label, enum recipe_action *ret,
		       struct varve_error *err)
{
	int found = -1;

	for (int i = 0; action_names[i]; i++) {
		if (!node_get(map, action_names[i]))
			continue;
		if (found >= 0)
			return recipe_error(&map->at, err,
					    "%s has two actions, %s and %s; make two steps of it",
					    label, action_names[found], action_names[i]);
		found = i;
	}
	if (found < 0)
		return recipe_error(&map->at, err,
				    "%s has no action; give it one of install, copy, run", label);
	*ret = (enum recipe_action)found;
	return 0;
}

static int read_step(const struct node *map, const char *stage, struct recipe_step *step,
		     struct varve_error *err)
{
	CLEANUP(free_ptr) char *label = step_label(map, stage);
	struct schema_subject subject = {label, ANY_ACTION};
	int r;

	/* First: a misspelt action is better called an unknown key than a missing action. */
	r = schema_check_keys(&schema_step, &subject, map, err);
	if (r == 0)
		r = read_action(map, label, &step->action, err);
	if (r < 0)
		return r;
	step->at = map->at;
	subject.kind = step->action;
	return schema_read(&schema_step, &subject, map, step, err);
}

static int read_steps(const struct node *node, const struct schema_subject *subject, void *object,
		      struct varve_error *err)
{
	struct recipe_stage *stage = object;
	CLEANUP(free_ptr) char *what = xasprintf("\"steps\" of %s", subject->label);
	int r = schema_want(node, NODE_LIST, what, err);

	for (size_t i = 0; r == 0 && i < node->count; i++) {
		stage->steps = array_grow(stage->steps, stage->count, &stage->alloc,
					  sizeof(*stage->steps));
		r = read_step(node->members[i].value, stage->name.text,
			      &stage->steps[stage->count++], err);
	}
	return r;
}

int parse_stages(const struct node *node, const struct schema_subject *subject, void *object,
		 struct varve_error *err)
{
	struct recipe *recipe = object;
	int r = schema_want(node, NODE_MAP, "\"stages\"", err);

	(void)subject;
	for (size_t i = 0; r == 0 && i < node->count; i++) {
		const struct node_member *member = &node->members[i];
		CLEANUP(free_ptr) char *label = xasprintf("stage \"%s\"", member->key->text);
		struct schema_subject stage_subject = {label, 0};
		struct recipe_stage *stage;

		recipe->stages = array_grow(recipe->stages, recipe->stage_count,
					    &recipe->stage_alloc, sizeof(*recipe->stages));
		stage = &recipe->stages[recipe->stage_count++];
		schema_name(member->key, &stage->name);
		r = schema_read(&schema_stage, &stage_subject, member->value, stage, err);
	}
	return r;
}
