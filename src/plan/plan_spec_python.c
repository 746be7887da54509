/* SPDX-License-Identifier: Apache-2.0
 * The spec of a python source. */
#include "plan/plan_spec.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define DEFAULT_GLIBC "2.28" /* what current wheels ask for; Debian since 10 has it */

/* A member of the spec: its name, and the shape that it has also where options made it. */
struct member {
	const char *key;
	enum grammar grammar;
	const char *otherwise; /* where the recipe has none */
};

static int set_shaped(struct compiler *c, json_t *spec, const struct member *member,
		      const struct recipe_value *value, struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	struct recipe_value expanded = {NULL, value->at};
	int r = spec_text(c, value, member->otherwise, &text, err);

	if (r < 0)
		return r;
	expanded.text = text;
	if (value->text && (*text || *member->otherwise))
		r = grammar_check(member->grammar, &expanded, member->key, err);
	if (r == 0)
		json_set(spec, member->key, json_text(text));
	return r;
}

static int set_list(struct compiler *c, json_t *spec, const struct member *member,
		    const struct recipe_values *values, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv list = STRV_INIT;
	size_t i;
	int r = spec_add_texts(c, values, &list, err);

	for (i = 0; i < list.count && r == 0; i++) {
		struct recipe_value expanded = {list.items[i], values->items[0].at};

		r = grammar_check(member->grammar, &expanded, member->key, err);
	}
	if (r < 0)
		return r;
	if (member->grammar == GRAMMAR_REQUIREMENT) /* the order of indexes counts */
		strv_sort(&list);
	json_set(spec, member->key, json_of_strv(&list));
	return 0;
}

/* Without one of them nothing would be locked, which nobody can mean. */
static int check_wanted(const json_t *spec, const struct recipe_source *source,
			struct varve_error *err)
{
	if (json_array_size(json_object_get(spec, "requirements")) > 0 ||
	    *json_optional_string(spec, "lock", ""))
		return 0;
	return recipe_error(&source->at, err, "source \"%s\" wants no package", source->name.text);
}

/* The file counts by what is in it: editing it asks for a new resolution. */
static int set_lock(struct compiler *c, json_t *spec, const struct recipe_source *source,
		    struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = NULL;
	int r = spec_text(c, &source->lock, "", &path, err);

	if (r < 0)
		return r;
	json_set(spec, "lock", json_text(path));
	return spec_set_file_digest(c, spec, "lock-digest", path, err);
}

/* Left out where there is none, so that the specs of most sources stay as they are. */
static int set_beside(struct compiler *c, json_t *spec, const struct recipe_values *values,
		      struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *list = json_array();
	size_t i;
	int index, r = 0;

	for (i = 0; i < values->count && r == 0; i++) {
		json_t *entry;

		r = compile_source(c, &values->items[i], values->items[i].text, PLAN_NONE, &index,
				   err);
		if (r < 0)
			return r;
		entry = json_object();
		json_set(entry, "name", json_text(values->items[i].text));
		json_set(entry, "spec", json_of_digest(&c->plan->sources.items[index].digest));
		json_append(list, entry);
	}
	if (json_array_size(list) > 0)
		json_set(spec, "beside", json_incref(list));
	return 0;
}

int python_spec(struct compiler *c, const struct recipe_source *source, json_t *spec,
		struct varve_error *err)
{
	static const struct member python = {"python", GRAMMAR_PYTHON, "3"},
				   glibc = {"glibc", GRAMMAR_GLIBC, DEFAULT_GLIBC},
				   before = {"before", GRAMMAR_DATE, ""},
				   requirements = {"requirements", GRAMMAR_REQUIREMENT, ""},
				   constraints = {"constraints", GRAMMAR_REQUIREMENT, ""},
				   indexes = {"index", GRAMMAR_NAME, ""};
	int r;

	json_set(spec, "platform", json_text(c->plan->platform));
	r = set_shaped(c, spec, &python, &source->python, err);
	if (r == 0)
		r = set_shaped(c, spec, &glibc, &source->glibc, err);
	if (r == 0)
		r = set_shaped(c, spec, &before, &source->before, err);
	if (r == 0)
		r = set_list(c, spec, &requirements, &source->requirements, err);
	if (r == 0)
		r = set_list(c, spec, &constraints, &source->constraints, err);
	if (r == 0)
		r = set_list(c, spec, &indexes, &source->index, err);
	if (r == 0)
		r = set_lock(c, spec, source, err);
	if (r == 0)
		r = set_beside(c, spec, &source->beside, err);
	if (r == 0)
		r = spec_set_boolean(c, spec, "sdist", &source->sdist, err);
	if (r == 0)
		r = spec_set_boolean(c, spec, "prereleases", &source->prereleases, err);
	if (r == 0)
		r = spec_set_dependencies(c, spec, &source->dependencies, err);
	return r < 0 ? r : check_wanted(spec, source, err);
}
