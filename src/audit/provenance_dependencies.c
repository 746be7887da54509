/* SPDX-License-Identifier: Apache-2.0
 * What an image was made from: each of these fixes bytes by a digest. */
#include "audit/provenance.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "plan/plan.h"
#include "source/bundle.h"
#include "source/source.h"

/* {"sha256": HEX} of a digest. */
static json_t *sha256(const struct varve_digest *digest)
{
	char hex[VARVE_DIGEST_HEX];
	json_t *set = json_object();

	json_set(set, "sha256", json_text(varve_digest_hex(digest, hex)));
	return set;
}

/* What was added so far. */
struct dependencies {
	json_t *list; /* array, for the caller */
	json_t *seen; /* "SOURCE URI DIGEST" of each as a member; owned */
};

/* Adds one; the same bytes of the same place are told once. */
static void add(struct dependencies *all, const char *kind, const char *source,
		json_t *take_dependency)
{
	json_t *annotations = json_object_get(take_dependency, "annotations");
	CLEANUP(buf_release) struct buf key = BUF_INIT;

	if (!annotations) {
		annotations = json_object();
		json_set(take_dependency, "annotations", annotations);
	}
	json_set(annotations, "kind", json_text(kind));
	if (source)
		json_set(annotations, "source", json_text(source));
	buf_addf(&key, "%s %s ", source ? source : "",
		 json_optional_string(take_dependency, "uri", ""));
	json_canonical(json_object_get(take_dependency, "digest"), &key);
	if (json_object_get(all->seen, buf_text(&key))) {
		json_decref(take_dependency);
		return;
	}
	json_set(all->seen, buf_text(&key), json_true());
	json_append(all->list, take_dependency);
}

static json_t *make(const char *name, const char *uri, json_t *take_digest)
{
	json_t *one = json_object();

	json_set(one, "name", json_text(name));
	json_set(one, "uri", json_text(uri));
	json_set(one, "digest", take_digest);
	return one;
}

/* --- the recipe ----------------------------------------------------------------------------------
 */

static void add_inputs(struct dependencies *all, const struct provenance_request *request)
{
	json_t *one = make("inputs.tar", "inputs.tar", sha256(&request->inputs.digest));
	json_t *annotations = json_object();

	json_set(annotations, "localSources", json_boolean(request->has_locals));
	json_set(one, "annotations", annotations);
	json_set(one, "mediaType", json_text(request->inputs.media_type));
	add(all, "inputs", NULL, one);
}

/* The files that the recipe consists of; those of local sources are in their listings. */
static void add_file(struct dependencies *all, const char *path, const char *value,
		     const struct provenance_request *request)
{
	const char *colon = strchr(value, ':');
	CLEANUP(free_ptr) char *uri = xasprintf("inputs.tar/%s", path);
	struct varve_digest digest;
	bool is_recipe = str_equal(path, request->recipe), is_lock = str_equal(path, request->lock);

	if (!colon || varve_digest_parse_hex(colon + 1, &digest) < 0)
		return;
	add(all,
	    is_recipe ? "recipe"
	    : is_lock ? "lock"
		      : "file",
	    NULL, make(path, uri, sha256(&digest)));
}

static void add_files(struct dependencies *all, const struct provenance_request *request)
{
	CLEANUP(strv_release) struct strv paths = STRV_INIT;
	json_t *files = json_deep_copy(request->files), *value;
	const char *path;

	json_object_foreach(files, path, value) strv_add(&paths, path);
	strv_sort(&paths);
	for (size_t i = 0; i < paths.count; i++)
		add_file(all, paths.items[i],
			 json_string_value(json_object_get(files, paths.items[i])), request);
	json_decref(files);
}

/* --- sources -------------------------------------------------------------------------------------
 */

static void add_local(struct dependencies *all, const struct plan_source *source)
{
	CLEANUP(free_ptr)
	char *uri = xasprintf("local:%s", json_optional_string(source->spec, "path", ""));
	json_t *one = make(source->name, uri, sha256(&source->content));

	json_set(one, "mediaType", json_text(PROVENANCE_LISTING));
	add(all, "local", source->name, one);
}

/* A base image as others know it: by the digest of its manifest. */
static void add_image(struct dependencies *all, const struct plan_source *source)
{
	const char *reference = json_optional_string(source->spec, "reference", "");
	struct varve_digest manifest;

	if (json_get_digest(source->locked->facts, "manifest", &manifest, NULL) == 0)
		add(all, "image", source->name, make(reference, reference, sha256(&manifest)));
}

static void add_commit(struct dependencies *all, const struct plan_source *source)
{
	const char *commit = json_optional_string(source->locked->facts, "commit", "");
	const char *url = json_optional_string(source->spec, "url", "");
	CLEANUP(free_ptr) char *uri = xasprintf("git+%s@%s", url, commit);
	json_t *set = json_object();

	json_set(set, "gitCommit", json_text(commit));
	add(all, "git", source->name, make(url, uri, set));
}

static void add_artifact(struct dependencies *all, const char *source,
			 const struct lock_artifact *artifact)
{
	json_t *one = make(artifact->name, artifact->from, sha256(&artifact->sha256));
	json_t *annotations = json_object();

	json_set(annotations, "size", json_integer((json_int_t)artifact->size));
	if (*artifact->version)
		json_set(annotations, "version", json_text(artifact->version));
	if (*artifact->architecture)
		json_set(annotations, "architecture", json_text(artifact->architecture));
	json_set(one, "annotations", annotations);
	add(all, "artifact", source, one);
}

static void add_source(struct dependencies *all, const struct plan_source *source)
{
	if (source->kind == SOURCE_LOCAL) {
		add_local(all, source);
		return;
	}
	if (!source->locked)
		return;
	if (source->kind == SOURCE_IMAGE)
		add_image(all, source);
	if (source->kind == SOURCE_GIT)
		add_commit(all, source);
	for (size_t i = 0; i < source->locked->count; i++)
		add_artifact(all, source->name, &source->locked->artifacts[i]);
}

/* --- which of them -------------------------------------------------------------------------------
 */

static void use_base(const struct plan *plan, int top, bool *used)
{
	int base = plan_base(plan, top);

	if (base != PLAN_NONE)
		used[base] = true;
}

static void use(const struct plan *plan, const struct plan_mount *content, bool *used)
{
	if (content->content == PLAN_FROM_STAGE)
		use_base(plan, plan->stages[content->index].top, used);
	else
		used[content->index] = true;
}

static void use_step(const struct plan *plan, int step, bool *used)
{
	const struct plan_step *s = &plan->steps[step];

	if (s->action != ACTION_RUN)
		use(plan, &s->from, used);
	for (size_t i = 0; i < s->mount_count; i++)
		use(plan, &s->mounts[i], used);
	use_base(plan, step, used);
}

json_t *provenance_dependencies(const struct plan *plan, size_t image, const bool *steps,
				const struct provenance_request *request)
{
	CLEANUP(free_ptr) bool *used = xcalloc(plan->sources.count + 1, sizeof(*used));
	struct dependencies all = {json_array(), json_object()};

	use_base(plan, plan->stages[plan->images[image].stage].top, used);
	for (size_t i = 0; i < plan->step_count; i++)
		if (steps[i])
			use_step(plan, (int)i, used);
	add_inputs(&all, request);
	add_files(&all, request);
	for (size_t i = 0; i < plan->sources.count; i++)
		if (used[i])
			add_source(&all, &plan->sources.items[i]);
	json_decref(all.seen);
	return all.list;
}
