/* SPDX-License-Identifier: Apache-2.0
 * A statement as others hand it to us: nothing in it is believed before it was looked at. */
#include "audit/provenance.h"

#include <string.h>

#include "audit/attestation.h"
#include "base/buf.h"
#include "base/path.h"

enum { OPTIONS = 1000, TEXT = 4096 };

static int wrong(struct varve_error *err, const char *what)
{
	return varve_error_set(err, -VARVE_E_FORMAT, "the provenance: %s", what);
}

/* --- the envelope
 * ---------------------------------------------------------------------------------- */

static int check_kind(const json_t *statement, const json_t *definition, struct varve_error *err)
{
	if (!str_equal(json_optional_string(statement, "predicateType", ""), PREDICATE_PROVENANCE))
		return wrong(err, "its predicate is not SLSA's, version 1");
	if (!str_equal(json_optional_string(definition, "buildType", ""), PROVENANCE_BUILD_TYPE))
		return wrong(err, "not of a build of varve: its buildType is another one");
	return 0;
}

/* --- parameters
 * ------------------------------------------------------------------------------------ */

static int text(const json_t *object, const char *key, const char **ret, struct varve_error *err)
{
	int r = json_get_string(object, key, ret, err);

	if (r == 0 && strlen(*ret) > TEXT)
		r = varve_error_set(err, -VARVE_E_FORMAT, "\"%s\" is too long", key);
	if (r < 0)
		varve_error_prefix(err, "the provenance");
	return r;
}

/* A path that is joined to a directory of ours. */
static int check_path(const char *path, struct varve_error *err)
{
	if (*path == '\0' || *path == '/' || !path_is_clean(path))
		return wrong(err, "a path of the recipe leaves its directory");
	return 0;
}

static int check_options(const json_t *options, struct varve_error *err)
{
	json_t *copy = json_deep_copy(options), *value;
	const char *name;
	int r = json_is_object(options) && json_object_size(options) <= OPTIONS
			? 0
			: wrong(err, "\"options\" is no object of texts");

	json_object_foreach(copy, name, value) if (r == 0 && (!json_is_string(value) ||
							      strchr(name, '=') || !*name)) r =
		wrong(err, "an option's value is no text");
	json_decref(copy);
	return r;
}

static int read_recipe(const json_t *parameters, struct provenance *ret, struct varve_error *err)
{
	json_t *recipe = NULL;
	int r = json_get_object(parameters, "recipe", &recipe, err);

	if (r == 0)
		r = text(recipe, "path", &ret->recipe, err);
	if (r == 0)
		r = text(recipe, "name", &ret->recipe_name, err);
	if (r == 0)
		r = text(recipe, "digest", &ret->recipe_digest, err);
	if (r == 0)
		r = text(parameters, "lock", &ret->lock, err);
	if (r == 0)
		r = check_path(ret->recipe, err);
	if (r == 0 && *ret->lock)
		r = check_path(ret->lock, err);
	return r;
}

static int read_epoch(const json_t *parameters, int64_t *ret, struct varve_error *err)
{
	uint64_t value;
	int r;

	*ret = -1;
	if (!json_object_get(parameters, "epoch"))
		return 0;
	r = json_get_u64(parameters, "epoch", &value, err);
	if (r == 0)
		*ret = (int64_t)value;
	return r;
}

static int read_parameters(const json_t *parameters, struct provenance *ret,
			   struct varve_error *err)
{
	json_t *images = NULL;
	int r = read_recipe(parameters, ret, err);

	ret->options = json_object_get(parameters, "options");
	ret->registry = json_optional_string(parameters, "registry", NULL);
	if (r == 0)
		r = check_options(ret->options, err);
	if (r == 0)
		r = text(parameters, "platform", &ret->platform, err);
	if (r == 0)
		r = text(parameters, "compression", &ret->compression, err);
	if (r == 0)
		r = read_epoch(parameters, &ret->epoch, err);
	if (r == 0)
		r = json_get_array(parameters, "images", &images, err);
	if (r < 0)
		return r;
	ret->image = json_string_value(json_array_get(images, 0));
	if (json_array_size(images) != 1 || !ret->image || !*ret->image)
		return wrong(err, "\"images\" does not name one image");
	return 0;
}

/* --- what it was made from
 * ------------------------------------------------------------------------- */

static int read_inputs(struct provenance *p, struct varve_error *err)
{
	const json_t *one, *inputs = NULL;
	bool locals = false;
	size_t i;

	json_array_foreach(p->dependencies, i, one)
	{
		const json_t *annotations = json_object_get(one, "annotations");
		const char *kind = json_optional_string(annotations, "kind", "");

		locals = locals || str_equal(kind, "local");
		if (str_equal(kind, "inputs"))
			inputs = one;
	}
	if (!inputs ||
	    varve_digest_parse_hex(
		    json_optional_string(json_object_get(inputs, "digest"), "sha256", ""),
		    &p->inputs) < 0)
		return wrong(err, "it does not name the recipe's files");
	p->has_locals = !locals || json_is_true(json_object_get(
					   json_object_get(inputs, "annotations"), "localSources"));
	return 0;
}

int provenance_parse(const json_t *statement, const struct varve_digest *manifest,
		     struct provenance *ret, struct varve_error *err)
{
	const json_t *predicate = json_object_get(statement, "predicate");
	const json_t *definition = json_object_get(predicate, "buildDefinition");
	const json_t *details = json_object_get(predicate, "runDetails");
	struct provenance all = {
		.dependencies = json_object_get(definition, "resolvedDependencies"),
		.steps = json_object_get(details, "byproducts"),
		.hermetic = json_is_true(
			json_object_get(json_object_get(details, "metadata"), "varve_hermetic")),
	};
	int r = attestation_check_statement(statement, manifest, err);

	if (r == 0)
		r = check_kind(statement, definition, err);
	if (r == 0)
		r = read_parameters(json_object_get(definition, "externalParameters"), &all, err);
	if (r == 0)
		r = read_inputs(&all, err);
	if (r == 0)
		*ret = all;
	return r;
}
