/* SPDX-License-Identifier: Apache-2.0
 * A plan made from the text of a recipe alone: each source is locked to invented artifacts, each
 * local directory's digest is that of its path and a salt. For tests. */
#ifndef TESTS_PLAN_FIXTURE_H
#define TESTS_PLAN_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "plan/plan.h"

#define FIXTURE_DATE INT64_C(1700000000) /* of every debian source */

struct plan_fixture {
	struct recipe *recipe;
	struct recipe_scope *scope;
	struct lock lock;
	struct plan *plan;
	const char *salt; /* NULL: "" */
};

static inline void plan_fixture_release(struct plan_fixture *f)
{
	plan_freep(&f->plan);
	lock_release(&f->lock);
	recipe_scope_freep(&f->scope);
	recipe_freep(&f->recipe);
}

static inline void fixture_digest(const char *kind, const char *text, struct varve_digest *ret)
{
	CLEANUP(free_ptr) char *whole = xasprintf("%s:%s", kind, text);

	digest_bytes(whole, strlen(whole), ret);
}

static inline int fixture_local(void *cookie, const struct plan_source *source,
				struct varve_digest *ret, struct varve_error *err)
{
	const struct plan_fixture *f = cookie;

	(void)err;
	fixture_digest(f->salt ? f->salt : "local", json_optional_string(source->spec, "path", ""),
		       ret);
	return 0;
}

static inline int fixture_file(void *cookie, const char *path, struct varve_digest *ret,
			       struct varve_error *err)
{
	(void)cookie;
	(void)err;
	fixture_digest("file", path, ret);
	return 0;
}

static inline void fixture_artifact(struct lock_source *source, const char *name,
				    const char *version, const char *architecture)
{
	struct lock_artifact *artifact = lock_source_add(source);

	artifact->name = xstrdup(name);
	artifact->version = xstrdup(version);
	artifact->architecture = xstrdup(architecture);
	artifact->from = xasprintf("debian:pool/%s", name);
	artifact->size = 1;
	fixture_digest("artifact", name, &artifact->sha256);
}

/* uv, and a wheel for each requirement "NAME==VERSION": the n-th from the end is 10^n bytes. */
static inline void fixture_wheels(struct lock_source *source, const json_t *requirements)
{
	size_t count = json_array_size(requirements), i, k;
	struct lock_artifact *tool;

	fixture_artifact(source, "uv", "0.1", "x86_64");
	tool = &source->artifacts[source->count - 1];
	tool->extra = json_object();
	json_set(tool->extra, "tool", json_text("only"));
	for (i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(requirements, i));
		CLEANUP(free_ptr) char *name = xstrndup(text, strcspn(text, "=<>"));

		fixture_artifact(source, name, "1.0", "any");
		for (k = i + 1; k < count; k++)
			source->artifacts[source->count - 1].size *= 10;
		source->artifacts[source->count - 1].date = FIXTURE_DATE + (int64_t)i;
	}
}

/* What source/ would find out; in the spec's order. */
static inline void fixture_resolve(const struct plan_source *source, struct lock *lock)
{
	struct lock_source entry = {.digest = source->digest};
	json_t *packages = json_object_get(source->spec, "packages");
	size_t i;

	entry.name = xstrdup(source->name);
	entry.spec = json_incref(source->spec);
	entry.facts = json_object();
	if (source->kind == SOURCE_DEBIAN)
		json_set(entry.facts, "date", json_integer(FIXTURE_DATE));
	else
		json_set(entry.facts, "version", json_text("1.2.3"));
	for (i = 0; i < json_array_size(packages); i++)
		fixture_artifact(&entry, json_string_value(json_array_get(packages, i)), "1.0",
				 json_optional_string(source->spec, "architecture", ""));
	if (source->kind == SOURCE_PYTHON)
		fixture_wheels(&entry, json_object_get(source->spec, "requirements"));
	if (source->kind == SOURCE_URL)
		fixture_artifact(&entry, json_optional_string(source->spec, "filename", ""), "",
				 "");
	lock_put(lock, &entry);
}

static inline void fixture_lock(const struct plan_sources *sources, struct lock *lock)
{
	size_t i;

	for (i = 0; i < sources->count; i++)
		if (sources->items[i].kind != SOURCE_LOCAL &&
		    !lock_find(lock, sources->items[i].name, &sources->items[i].digest))
			fixture_resolve(&sources->items[i], lock);
}

static inline int fixture_parse(struct plan_fixture *f, const char *text,
				const struct strv *settings, struct varve_error *err)
{
	int r = recipe_parse(text, strlen(text), "recipe.yaml", NULL, NULL, &f->recipe, err);

	if (r == 0)
		r = recipe_check(f->recipe, NULL, err);
	if (r == 0)
		r = recipe_scope_new(f->recipe, settings, &f->scope, err);
	return r;
}

/* options->local_digest and cookie are set here. invent: lock what f->lock lacks. */
static inline int fixture_compile(struct plan_fixture *f, const char *text,
				  const struct strv *settings, struct plan_options *options,
				  bool invent, struct varve_error *err)
{
	CLEANUP(plan_sources_release) struct plan_sources sources = {0};
	int r = fixture_parse(f, text, settings, err);

	options->local_digest = fixture_local;
	options->file_digest = fixture_file;
	options->cookie = f;
	if (r == 0 && invent)
		r = plan_collect_sources(f->recipe, f->scope, options, &sources, err);
	if (r < 0)
		return r;
	fixture_lock(&sources, &f->lock);
	return plan_compile(f->recipe, f->scope, &f->lock, options, &f->plan, err);
}

/* Every layer known, named after its step; destinations as written. Free with fixture_forget. */
static inline struct plan_known *fixture_known(const struct plan *plan)
{
	struct plan_known *known = xcalloc(plan->step_count + 1, sizeof(*known));
	size_t i;

	for (i = 0; i < plan->step_count; i++) {
		CLEANUP(free_ptr) char *name = plan_step_name(plan, (int)i);
		struct varve_layer layer = {.entry_count = 1};

		known[i].known = true;
		fixture_digest("layer", name, &layer.diff_id);
		layer_list_add(&known[i].layers, &layer);
		if (plan->steps[i].to)
			known[i].destination = xstrdup(plan->steps[i].to + 1);
		if (plan->steps[i].interpreter)
			known[i].interpreter =
				xasprintf("usr/bin/%s sha256:x", plan->steps[i].interpreter);
	}
	return known;
}

static inline void fixture_forget(struct plan_known *known, size_t count)
{
	size_t i;

	for (i = 0; known && i < count; i++) {
		free(known[i].destination);
		free(known[i].interpreter);
		layer_list_release(&known[i].layers);
	}
	free(known);
}

#endif
