/* SPDX-License-Identifier: Apache-2.0
 * Steps that install packages, and how wheels are shared out among layers. */
#include "plan/plan_spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum {
	SPLIT_SHARE = 100, /* the smallest wheels stay together up to this part of the whole */
	SPLIT_LAYERS = PLAN_PARTS_MAX, /* own layers at most: runtimes stop at about 127 */
};

bool plan_installs_wheels(const struct plan *plan, const struct plan_step *step)
{
	return step->action == ACTION_INSTALL &&
	       plan->sources.items[step->from.index].kind == SOURCE_PYTHON;
}

bool plan_step_has(const struct plan_step *step, const struct lock_artifact *artifact)
{
	return lock_artifact_is_content(artifact) &&
	       (step->wheels.count == 0 || strv_contains(&step->wheels, artifact->name));
}

/* --- sharing out -------------------------------------------------------------------------------
 */

void install_parts_release(struct install_parts *parts)
{
	size_t i;

	for (i = 0; i < parts->count; i++)
		strv_release(&parts->items[i]);
	free(parts->items);
	*parts = (struct install_parts){0};
}

static int by_size(const void *a, const void *b)
{
	const struct lock_artifact *x = *(const struct lock_artifact *const *)a;
	const struct lock_artifact *y = *(const struct lock_artifact *const *)b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
	const struct lock_artifact *x = *(const struct lock_artifact *const *)a;
	const struct lock_artifact *y = *(const struct lock_artifact *const *)b;

	return strcmp(x->name, y->name);
}

/* How many of the sorted get a layer of their own. At least one is left for the first layer. */
static size_t count_large(const struct lock_artifact *const *sorted, size_t count)
{
	uint64_t total = 0, rest;
	size_t i;

	for (i = 0; i < count; i++)
		total += sorted[i]->size;
	rest = total;
	for (i = 0; i + 1 < count && i < SPLIT_LAYERS && rest > total / SPLIT_SHARE; i++)
		rest -= sorted[i]->size;
	return i;
}

static void split(const struct lock_source *source, struct install_parts *ret)
{
	CLEANUP(free_ptr)
	const struct lock_artifact **sorted =
		xcalloc(source->count + 1, sizeof(struct lock_artifact *));
	size_t count = 0, large, i;

	for (i = 0; i < source->count; i++)
		if (lock_artifact_is_content(&source->artifacts[i]))
			sorted[count++] = &source->artifacts[i];
	qsort(sorted, count, sizeof(struct lock_artifact *), by_size);
	large = count_large(sorted, count);
	qsort(sorted, large, sizeof(struct lock_artifact *), by_name);
	for (i = large; i < count; i++)
		strv_add(&ret->items[0], sorted[i]->name);
	strv_sort(&ret->items[0]);
	for (i = 0; i < large; i++)
		strv_add(&ret->items[ret->count++], sorted[i]->name);
}

static int wants_split(struct compiler *c, const struct recipe_step *from, bool *ret,
		       struct varve_error *err)
{
	const struct recipe_value *word = &from->split.word;
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(free_ptr) char *wheels = NULL;
	int r = compile_expand(c, word, &text, err);

	if (r == 0)
		r = compile_expand(c, &from->split.wheels, &wheels, err);
	if (r == 0 && wheels && *wheels)
		return recipe_boolean(&from->split.wheels, wheels, ret, err);
	if (r < 0)
		return r;
	*ret = str_equal(text, "wheels");
	if (!text || *ret || *text == '\0' || str_equal(text, "none"))
		return 0;
	return recipe_error(&word->at, err, "split \"%s\" is neither wheels nor none", text);
}

int compile_parts(struct compiler *c, const struct recipe_step *from, int below,
		  struct install_parts *ret, struct varve_error *err)
{
	const struct lock_source *locked = NULL;
	struct plan_mount source = {0};
	bool wanted = false;
	int r = wants_split(c, from, &wanted, err);

	if (r == 0 && wanted && c->lock)
		r = compile_reference(c, &from->argument, below, &source, err);
	if (r < 0)
		return r;
	if (wanted && c->lock && source.content == PLAN_FROM_SOURCE)
		locked = c->plan->sources.items[source.index].locked;
	free(source.path);
	ret->items = xcalloc(SPLIT_LAYERS + 1, sizeof(*ret->items));
	ret->count = 1;
	if (locked)
		split(locked, ret);
	return 0;
}

/* --- the step ----------------------------------------------------------------------------------
 */

static int compile_layout(struct compiler *c, const struct recipe_value *value, char **ret,
			  struct varve_error *err)
{
	static const char *const layouts[] = {"venv", "prefix", "directory"};
	size_t i;
	int r = compile_expand(c, value, ret, err);

	if (r == 0 && (!*ret || **ret == '\0')) {
		free(*ret);
		*ret = xstrdup(layouts[0]);
	}
	for (i = 0; r == 0 && i < ARRAY_SIZE(layouts); i++)
		if (strcmp(layouts[i], *ret) == 0)
			return 0;
	return r < 0 ? r
		     : recipe_error(&value->at, err,
				    "layout \"%s\" is none of venv, prefix and directory", *ret);
}

static int compile_wheels(struct compiler *c, const struct recipe_step *from,
			  const struct plan_source *source, struct plan_step *step,
			  struct varve_error *err)
{
	CLEANUP(free_ptr) char *bytecode = NULL;
	int r = compile_path(c, &from->into, false, &step->to, err);

	if (r == 0 && strcmp(step->to, "/") == 0)
		r = recipe_error(&from->into.at, err, "wheels cannot be installed into \"/\"");
	if (r == 0)
		r = compile_layout(c, &from->layout, &step->layout, err);
	if (r == 0)
		r = compile_expand(c, &from->bytecode, &bytecode, err);
	if (r == 0 && bytecode && *bytecode)
		r = recipe_boolean(&from->bytecode, bytecode, &step->bytecode, err);
	if (r == 0 && json_is_true(json_object_get(source->spec, "sdist")))
		r = recipe_error(&from->argument.at, err,
				 "source \"%s\" holds source distributions: mount it in a run step "
				 "that builds them",
				 source->name);
	if (r == 0)
		step->interpreter =
			xasprintf("python%s", json_optional_string(source->spec, "python", "3"));
	return r;
}

/* dpkg could mix architectures, but no image of one platform is made so. */
static int check_packages(const struct compiler *c, const struct recipe_step *from,
			  const struct plan_source *source, struct varve_error *err)
{
	const char *wanted = json_optional_string(source->spec, "architecture", "");
	const char *native = debian_architecture(c->plan->platform);
	int r;

	if (strcmp(wanted, native) == 0)
		return 0;
	r = recipe_error(&from->argument.at, err,
			 "source \"%s\" is for architecture %s, which is foreign to %s (%s)",
			 source->name, wanted, c->plan->platform, native);
	varve_error_hint(err,
			 "an image has packages of its own architecture only; --platform makes "
			 "images for another one");
	return r;
}

int compile_install(struct compiler *c, const struct recipe_step *from, struct plan_step *step,
		    struct varve_error *err)
{
	const struct plan_source *source;
	int r = compile_reference(c, &from->argument, step->below, &step->from, err);

	if (r < 0)
		return r;
	if (step->from.content == PLAN_FROM_STAGE)
		return recipe_error(&from->argument.at, err,
				    "a stage cannot be installed; copy from it instead");
	source = &c->plan->sources.items[step->from.index];
	if (source->kind == SOURCE_PYTHON)
		return compile_wheels(c, from, source, step, err);
	if (source->kind == SOURCE_DEBIAN &&
	    json_is_false(json_object_get(source->spec, "dependencies")))
		return recipe_error(
			&from->argument.at, err,
			"source \"%s\" leaves dependencies out, so it cannot be installed; "
			"mount it",
			source->name);
	if (source->kind == SOURCE_DEBIAN)
		return check_packages(c, from, source, err);
	return recipe_error(&from->argument.at, err,
			    "source \"%s\" (%s) cannot be installed; copy or mount it",
			    source->name, json_optional_string(source->spec, "kind", ""));
}

/* --- what others see of it ---------------------------------------------------------------------
 */

json_t *plan_wheels_json(const struct plan *plan, const struct plan_step *step)
{
	const struct lock_source *locked = plan->sources.items[step->from.index].locked;
	json_t *object = json_object(), *list = json_array();
	size_t i;

	json_set(object, "kind", json_text("python"));
	for (i = 0; locked && i < locked->count; i++) {
		const struct lock_artifact *artifact = &locked->artifacts[i];

		if (plan_step_has(step, artifact))
			json_append(list, plan_artifact_json(artifact));
		if (lock_artifact_is_tool(artifact))
			json_set(object, "tool", json_of_digest(&artifact->sha256));
	}
	json_set(object, "artifacts", list);
	return object;
}

int64_t plan_wheels_date(const struct plan *plan, const struct plan_step *step)
{
	const struct lock_source *locked = plan->sources.items[step->from.index].locked;
	int64_t date = 0;
	size_t i;

	for (i = 0; locked && i < locked->count; i++)
		if (plan_step_has(step, &locked->artifacts[i]) && locked->artifacts[i].date > date)
			date = locked->artifacts[i].date;
	return date;
}
