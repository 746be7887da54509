/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/provenance.h"

#include <stdlib.h>
#include <varve/version.h>

#include "audit/attestation.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "build/build.h"

/* --- which steps
 * ----------------------------------------------------------------------------------- */

/* Steps below come before those that need them: one walk from the top marks all. */
static void mark_needs(const struct plan *plan, int step, bool *steps)
{
	size_t room = plan_needs_room(plan, step);
	CLEANUP(free_ptr) int *needs = xcalloc(room + 1, sizeof(*needs));
	size_t count = plan_needs(plan, step, needs, room);

	for (size_t i = 0; i < count; i++)
		steps[needs[i]] = true;
	if (plan->steps[step].below >= 0)
		steps[plan->steps[step].below] = true;
}

bool *provenance_steps(const struct plan *plan, size_t image)
{
	bool *steps = xcalloc(plan->step_count + 1, sizeof(*steps));
	int top = plan->stages[plan->images[image].stage].top;

	if (top >= 0)
		steps[top] = true;
	for (size_t i = plan->step_count; i-- > 0;)
		if (steps[i])
			mark_needs(plan, (int)i, steps);
	return steps;
}

/* --- what no digest fixes
 * -------------------------------------------------------------------------- */

static void step_gaps(const struct plan *plan, int step, struct strv *ret)
{
	const struct plan_step *s = &plan->steps[step];
	CLEANUP(free_ptr) char *name = plan_step_name(plan, step);

	if (s->network)
		strv_addf(ret, "%s: had the host's network", name);
	for (size_t i = 0; i < s->secrets.count; i++)
		strv_addf(ret, "%s: read the secret \"%s\"", name, s->secrets.items[i]);
	for (size_t i = 0; i < s->cache_count; i++)
		strv_addf(ret, "%s: used the cache \"%s\", which earlier runs filled", name,
			  s->caches[i].name);
	if (s->resume)
		strv_addf(ret, "%s: may have gone on with %s of a run that was cut off", name,
			  s->resume);
}

bool provenance_gaps(const struct plan *plan, const bool *steps, struct strv *ret,
		     bool *ret_secrets)
{
	bool hermetic = true;

	*ret_secrets = false;
	for (size_t i = 0; i < plan->step_count; i++) {
		if (!steps[i])
			continue;
		step_gaps(plan, (int)i, ret);
		hermetic = hermetic && !plan->steps[i].network;
		*ret_secrets = *ret_secrets || plan->steps[i].secrets.count > 0;
	}
	return hermetic;
}

/* --- what was asked for
 * ---------------------------------------------------------------------------- */

static json_t *recipe_json(const struct plan *plan, const struct provenance_request *request)
{
	CLEANUP(free_ptr) char *digest = xasprintf("sha256:%s", plan->recipe_digest);
	json_t *recipe = json_object();

	json_set(recipe, "name", json_text(plan->recipe_name));
	json_set(recipe, "path", json_text(request->recipe));
	json_set(recipe, "digest", json_text(digest));
	return recipe;
}

static json_t *external(const struct plan *plan, size_t image,
			const struct provenance_request *request)
{
	json_t *parameters = json_object(), *images = json_array();

	json_append(images, json_text(plan->images[image].name_in_recipe));
	json_set(parameters, "recipe", recipe_json(plan, request));
	json_set(parameters, "lock", json_text(request->lock));
	json_set(parameters, "options", json_deep_copy(request->options));
	json_set(parameters, "images", images);
	json_set(parameters, "platform", json_text(plan->platform));
	json_set(parameters, "compression", json_text(request->compression));
	if (request->registry)
		json_set(parameters, "registry", json_text(request->registry));
	if (request->epoch >= 0)
		json_set(parameters, "epoch", json_integer(request->epoch));
	return parameters;
}

/* What follows from the program, not from who called it. */
static json_t *internal(const struct provenance_request *request)
{
	json_t *parameters = json_object();

	json_set(parameters, "compressor", json_text(request->compressor));
	json_set(parameters, "layerRules", json_integer(PLAN_LAYER_RULES));
	json_set(parameters, "planFormat", json_integer(PLAN_FORMAT));
	return parameters;
}

/* --- how it ran
 * ------------------------------------------------------------------------------------ */

static json_t *byproduct(const char *what, const char *step, const struct varve_digest *digest,
			 const char *media_type)
{
	CLEANUP(free_ptr) char *name = xasprintf("%s %s", what, step);
	char hex[VARVE_DIGEST_HEX];
	json_t *one = json_object(), *set = json_object();

	json_set(set, "sha256", json_text(varve_digest_hex(digest, hex)));
	json_set(one, "name", json_text(name));
	json_set(one, "digest", set);
	json_set(one, "mediaType", json_text(media_type));
	return one;
}

static json_t *step_json(const struct build *build, int step, const char *name)
{
	const struct layer_list *made = &build->known[step].layers;
	json_t *one = byproduct("step", name, &build->steps[step].key,
				"application/vnd.varve.step.v1+json");
	json_t *annotations = json_object(), *diff_ids = json_array(), *layers = json_array();

	for (size_t i = 0; i < made->count; i++) {
		json_append(diff_ids, json_of_digest(&made->items[i].diff_id));
		json_append(layers, json_of_digest(&made->items[i].blob.digest));
	}
	json_set(annotations, "diffIds", diff_ids);
	json_set(annotations, "layers", layers);
	json_set(one, "annotations", annotations);
	return one;
}

static json_t *byproducts(const struct build *build, const bool *steps,
			  const struct provenance_request *request)
{
	json_t *list = json_array();

	for (size_t i = 0; i < build->plan->step_count; i++) {
		CLEANUP(free_ptr) char *name = NULL;

		if (!steps[i])
			continue;
		name = plan_step_name(build->plan, (int)i);
		json_append(list, step_json(build, (int)i, name));
		if (!varve_digest_is_none(&request->logs[i]))
			json_append(list, byproduct("log", name, &request->logs[i], "text/plain"));
	}
	return list;
}

static json_t *metadata(const struct plan *plan, const bool *steps,
			const struct provenance_request *request)
{
	CLEANUP(strv_release) struct strv gaps = STRV_INIT;
	json_t *object = json_object(), *complete = json_object();
	char time[IMAGE_TIME];
	bool secrets, hermetic = provenance_gaps(plan, steps, &gaps, &secrets);

	json_set(complete, "parameters", json_boolean(!secrets));
	json_set(complete, "resolvedDependencies", json_boolean(gaps.count == 0));
	json_set(object, "varve_completeness", complete);
	json_set(object, "varve_hermetic", json_boolean(hermetic));
	json_set(object, "varve_incomplete", json_of_strv(&gaps));
	if (!request->invocation)
		return object;
	json_set(object, "invocationId", json_text(request->invocation));
	json_set(object, "startedOn", json_text(image_time(request->started, time)));
	json_set(object, "finishedOn", json_text(image_time(request->finished, time)));
	return object;
}

static json_t *builder(void)
{
	json_t *object = json_object(), *version = json_object();

	json_set(version, "varve", json_text(varve_version()));
	json_set(object, "id", json_text(PROVENANCE_BUILDER));
	json_set(object, "version", version);
	return object;
}

/* --- the statement
 * --------------------------------------------------------------------------------- */

json_t *provenance_statement(const struct build *build, size_t image,
			     const struct varve_digest *manifest,
			     const struct provenance_request *request)
{
	const struct plan *plan = build->plan;
	CLEANUP(free_ptr) bool *steps = provenance_steps(plan, image);
	json_t *statement, *predicate = json_object();
	json_t *definition = json_object(), *details = json_object();

	json_set(definition, "buildType", json_text(PROVENANCE_BUILD_TYPE));
	json_set(definition, "externalParameters", external(plan, image, request));
	json_set(definition, "internalParameters", internal(request));
	json_set(definition, "resolvedDependencies",
		 provenance_dependencies(plan, image, steps, request));
	json_set(details, "builder", builder());
	json_set(details, "metadata", metadata(plan, steps, request));
	json_set(details, "byproducts", byproducts(build, steps, request));
	json_set(predicate, "buildDefinition", definition);
	json_set(predicate, "runDetails", details);
	statement = attestation_statement(manifest, PREDICATE_PROVENANCE, predicate);
	json_set(json_array_get(json_object_get(statement, "subject"), 0), "name",
		 json_text(plan->images[image].name));
	return statement;
}
