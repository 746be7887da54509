/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

json_t *plan_artifact_json(const struct lock_artifact *artifact)
{
	json_t *entry = json_object();

	json_set(entry, "name", json_text(artifact->name));
	json_set(entry, "version", json_text(artifact->version));
	json_set(entry, "architecture", json_text(artifact->architecture));
	json_set(entry, "sha256", json_of_digest(&artifact->sha256));
	if (artifact->extra)
		json_set(entry, "extra", json_incref(artifact->extra));
	return entry;
}

static json_t *artifacts_json(const struct lock_source *locked)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < locked->count; i++) {
		if (lock_artifact_is_content(&locked->artifacts[i]))
			json_append(list, plan_artifact_json(&locked->artifacts[i]));
	}
	return list;
}

/* The members of a spec that change what the same artifacts become. */
static const char *const shaping[] = {"bootstrap", "filename", "strip", "subdirectory", "unpack"};

static const char *kind_name(const struct plan_source *source)
{
	return json_optional_string(source->spec, "kind", "");
}

static json_t *content_json(const struct plan_source *source)
{
	json_t *object = json_object();
	size_t i;

	json_set(object, "kind", json_text(kind_name(source)));
	for (i = 0; i < ARRAY_SIZE(shaping); i++) {
		json_t *value = json_object_get(source->spec, shaping[i]);

		if (value)
			json_set(object, shaping[i], json_incref(value));
	}
	if (source->locked)
		json_set(object, "artifacts", artifacts_json(source->locked));
	return object;
}

json_t *plan_source_json(const struct plan_source *source)
{
	json_t *object = content_json(source);

	json_set(object, "digest", json_of_digest(&source->content));
	return object;
}

static int64_t newest_date(const struct lock_source *locked)
{
	json_t *fact = json_object_get(locked->facts, "date");
	int64_t date = json_is_integer(fact) ? (int64_t)json_integer_value(fact) : 0;
	size_t i;

	for (i = 0; i < locked->count; i++)
		if (lock_artifact_is_content(&locked->artifacts[i]) &&
		    locked->artifacts[i].date > date)
			date = locked->artifacts[i].date;
	return date;
}

static int local_content(const struct compiler *c, struct plan_source *source,
			 struct varve_error *err)
{
	if (!c->options->local_digest)
		return varve_error_set(err, -EINVAL, "source %s: no way to read local directories",
				       source->name);
	return c->options->local_digest(c->options->cookie, source, &source->content, err);
}

static int locked_content(const struct compiler *c, struct plan_source *source,
			  struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *content = NULL;

	source->locked = lock_find(c->lock, source->name, &source->digest);
	if (!source->locked)
		return varve_error_set(
			err, -VARVE_E_LOCK,
			"source \"%s\" is not in the lock as the recipe states it now",
			source->name);
	content = content_json(source);
	json_digest(content, &source->content);
	source->date = newest_date(source->locked);
	return compile_check_base(source, err);
}

static int find_source(const struct plan *plan, const char *name, const struct varve_digest *digest)
{
	size_t i;

	for (i = 0; i < plan->sources.count; i++)
		if (str_equal(plan->sources.items[i].name, name) &&
		    varve_digest_equal(&plan->sources.items[i].digest, digest))
			return (int)i;
	return PLAN_NONE;
}

static int check_wanted(struct compiler *c, const struct recipe_source *from,
			const struct recipe_value *at, struct varve_error *err)
{
	bool wanted;
	int r = recipe_condition(c->scope, &from->condition, &wanted, err);

	if (r < 0 || wanted)
		return r;
	r = recipe_error(&at->at, err, "source \"%s\" is needed here, but its \"if\" leaves it out",
			 from->name.text);
	varve_error_hint(err, "give what uses it the same \"if\"");
	return r;
}

/* Takes spec over. */
static int add_source(struct compiler *c, const struct recipe_source *from, json_t *take_spec,
		      int *ret, struct varve_error *err)
{
	struct plan_sources *sources = &c->plan->sources;
	struct plan_source source = {.kind = from->kind, .at = from->at, .spec = take_spec};
	int r = 0;

	source.name = xstrdup(from->name.text);
	json_digest(source.spec, &source.digest);
	if (c->lock)
		r = from->kind == SOURCE_LOCAL ? local_content(c, &source, err)
					       : locked_content(c, &source, err);
	if (r < 0) {
		free(source.name);
		json_decref(source.spec);
		return r;
	}
	sources->items = array_grow(sources->items, sources->count, &sources->alloc,
				    sizeof(*sources->items));
	*ret = (int)sources->count;
	sources->items[sources->count++] = source;
	return 0;
}

int compile_source(struct compiler *c, const struct recipe_value *at, const char *text, int below,
		   int *ret, struct varve_error *err)
{
	const struct recipe_source *from = recipe_find_source(c->recipe, text);
	CLEANUP(json_decrefp) json_t *spec = NULL;
	struct varve_digest digest;
	int found, r;

	if (!from)
		return recipe_error(&at->at, err, "there is no source \"%s\"", text);
	r = check_wanted(c, from, at, err);
	if (r == 0)
		r = compile_spec(c, from, below, &spec, err);
	if (r < 0)
		return r;
	json_digest(spec, &digest);
	found = find_source(c->plan, text, &digest);
	if (found == PLAN_NONE)
		return add_source(c, from, steal_ptr(&spec), ret, err);
	*ret = found;
	return 0;
}
