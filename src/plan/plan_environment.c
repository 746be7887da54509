/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_compile.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* What every process of a build gets, wherever it runs. */
static const struct {
	const char *name, *value;
} defaults[] = {
	{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	{"HOME", "/root"},
	{"LANG", "C.UTF-8"},
	{"LC_ALL", "C.UTF-8"},
	{"TZ", "UTC"},
	{"PYTHONHASHSEED", "0"},
};

const char *plan_environment_default(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(defaults); i++)
		if (strcmp(defaults[i].name, name) == 0)
			return defaults[i].value;
	return NULL;
}

static bool is_variable_name(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	while (isalnum((unsigned char)*name) || *name == '_')
		name++;
	return *name == '\0';
}

static int check_name(const struct recipe_value *name, struct varve_error *err)
{
	if (is_variable_name(name->text))
		return 0;
	return recipe_error(&name->at, err, "\"%s\" is no name of an environment variable",
			    name->text);
}

int compile_environment(struct compiler *c, const struct recipe_pairs *pairs,
			struct strv *environment, struct varve_error *err)
{
	const struct strv *outer = c->environment;
	size_t i;
	int r = 0;

	c->environment = environment;
	for (i = 0; r == 0 && i < pairs->count; i++) {
		CLEANUP(free_ptr) char *value = NULL;

		r = check_name(&pairs->items[i].name, err);
		if (r == 0)
			r = compile_expand(c, &pairs->items[i].value, &value, err);
		if (r == 0)
			strv_setenv(environment, pairs->items[i].name.text, value ? value : "");
	}
	c->environment = outer;
	return r;
}

/* --- what no key sees --- */
static void add_unkeyed(struct plan_step *step, const char *name, const char *value)
{
	if (!strv_getenv(&step->environment, name) &&
	    !strv_getenv(&step->unkeyed_environment, name))
		strv_setenv(&step->unkeyed_environment, name, value);
}

/* The names under which common tools look for a number of jobs; what the recipe sets itself wins.
 */
void plan_set_jobs(struct plan_step *step, int64_t jobs)
{
	static const char *const names[] = {"VARVE_JOBS", "MAX_JOBS", "CMAKE_BUILD_PARALLEL_LEVEL",
					    "CARGO_BUILD_JOBS"};
	CLEANUP(free_ptr) char *number = xasprintf("%" PRId64, jobs);
	CLEANUP(free_ptr) char *flags = xasprintf("-j%" PRId64, jobs);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		add_unkeyed(step, names[i], number);
	add_unkeyed(step, "MAKEFLAGS", flags);
	step->jobs = jobs;
	strv_sort(&step->unkeyed_environment);
}

static int compile_unkeyed(struct compiler *c, const struct recipe_pairs *pairs,
			   struct plan_step *step, struct varve_error *err)
{
	size_t i;
	int r;

	for (i = 0; i < pairs->count; i++) {
		const struct recipe_value *name = &pairs->items[i].name;
		CLEANUP(free_ptr) char *value = NULL;

		r = check_name(name, err);
		if (r == 0 && strv_getenv(&step->environment, name->text))
			r = recipe_error(
				&name->at, err,
				"\"%s\" is also set in a keyed environment: it can't be both",
				name->text);
		if (r == 0)
			r = compile_expand_unkeyed(c, &pairs->items[i].value, &value, err);
		if (r < 0)
			return r;
		strv_setenv(&step->unkeyed_environment, name->text, value ? value : "");
	}
	return 0;
}

static void add_defaults(const struct compiler *c, struct plan_step *step)
{
	CLEANUP(free_ptr) char *epoch = xasprintf("%" PRId64, step->epoch);
	struct strv *environment = &step->environment;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(defaults); i++)
		strv_setenv(environment, defaults[i].name, defaults[i].value);
	strv_setenv(environment, "SOURCE_DATE_EPOCH", epoch);
	if (step->action == ACTION_INSTALL &&
	    c->plan->sources.items[step->from.index].kind == SOURCE_DEBIAN) {
		strv_setenv(environment, "DEBIAN_FRONTEND", "noninteractive");
		strv_setenv(environment, "DEBCONF_NONINTERACTIVE_SEEN", "true");
	}
}

static void set_all(struct strv *environment, const struct strv *from)
{
	size_t i;

	for (i = 0; i < from->count; i++) {
		const char *equals = strchr(from->items[i], '=');
		CLEANUP(free_ptr)
		char *name = xstrndup(from->items[i], (size_t)(equals - from->items[i]));

		strv_setenv(environment, name, equals + 1);
	}
}

int compile_step_environment(struct compiler *c, const struct recipe_step *from,
			     struct plan_step *step, struct varve_error *err)
{
	int r;

	if (step->action == ACTION_COPY)
		return 0;
	add_defaults(c, step);
	set_all(&step->environment, &c->plan->stages[step->stage].environment);
	r = compile_environment(c, &from->environment, &step->environment, err);
	if (r == 0)
		r = compile_unkeyed(c, &from->unkeyed_environment, step, err);
	if (r < 0)
		return r;
	if (step->jobs > 0)
		plan_set_jobs(step, step->jobs);
	strv_sort(&step->environment);
	strv_sort(&step->unkeyed_environment);
	return 0;
}
