/* SPDX-License-Identifier: Apache-2.0
 * The spec of a debian source. */
#include "plan/plan_spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

const char *debian_architecture(const char *platform)
{
	static const struct {
		const char *platform, *architecture;
	} known[] = {
		{"linux/386", "i386"},        {"linux/arm/v7", "armhf"},
		{"linux/arm/v5", "armel"},    {"linux/arm64/v8", "arm64"},
		{"linux/ppc64le", "ppc64el"}, {"linux/mips64le", "mips64el"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(platform, known[i].platform) == 0)
			return known[i].architecture;
	return str_starts(platform, "linux/") ? platform + strlen("linux/") : platform;
}

static bool is_snapshot(const char *text)
{
	static const char shape[] = "00000000T000000Z";
	size_t i;

	if (strlen(text) != sizeof(shape) - 1)
		return false;
	for (i = 0; shape[i]; i++)
		if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
			return false;
	return true;
}

static int set_snapshot(struct compiler *c, json_t *spec, const struct recipe_source *source,
			struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	int r = spec_text(c, &source->snapshot, "", &text, err);

	if (r < 0)
		return r;
	if (*text && !is_snapshot(text))
		return recipe_error(&source->snapshot.at, err,
				    "snapshot \"%s\" is not of the form 20261101T000000Z", text);
	json_set(spec, "snapshot", json_text(text));
	return 0;
}

static int set_suites(struct compiler *c, json_t *spec, const struct recipe_source *source,
		      struct varve_error *err)
{
	CLEANUP(strv_release) struct strv suites = STRV_INIT;
	CLEANUP(strv_release) struct strv components = STRV_INIT;
	char *suite = NULL;
	int r;

	r = spec_text(c, &source->suite, "", &suite, err);
	if (r < 0)
		return r;
	strv_take(&suites, suite);
	if (*suite == '\0')
		return recipe_error(&source->suite.at, err, "the suite of source \"%s\" is empty",
				    source->name.text);
	r = spec_add_texts(c, &source->suites, &suites, err);
	if (r == 0)
		r = spec_add_texts(c, &source->components, &components, err);
	if (r < 0)
		return r;
	if (components.count == 0)
		strv_add(&components, "main");
	json_set(spec, "suites", json_of_strv(&suites));
	json_set(spec, "components", json_of_strv(&components));
	return 0;
}

static int set_packages(struct compiler *c, json_t *spec, const struct recipe_source *source,
			struct varve_error *err)
{
	CLEANUP(strv_release) struct strv packages = STRV_INIT;
	int r = spec_add_texts(c, &source->packages, &packages, err);

	if (r < 0)
		return r;
	strv_sort(&packages);
	json_set(spec, "packages", json_of_strv(&packages));
	return 0;
}

/* What the chain ending in below has of packages, bottom first: an image, and debian sources that
 * steps installed. */
static json_t *installed_below(const struct plan *plan, int below)
{
	json_t *list = json_array();

	for (; below != PLAN_NONE; below = below < 0 ? PLAN_NONE : plan->steps[below].below) {
		const struct plan_source *source;
		json_t *entry;

		if (below >= 0 && plan->steps[below].action != ACTION_INSTALL)
			continue;
		source = &plan->sources.items[below < 0 ? plan_image_source(below)
							: plan->steps[below].from.index];
		if (source->kind != SOURCE_DEBIAN && source->kind != SOURCE_IMAGE)
			continue;
		entry = json_object();
		json_set(entry, "name", json_text(source->name));
		json_set(entry, "spec", json_of_digest(&source->digest));
		if (json_array_insert_new(list, 0, entry) < 0)
			abort();
	}
	return list;
}

/* Other keys in the file are other trust: what is locked is resolved again. */
static int set_keyring(struct compiler *c, json_t *spec, const struct recipe_value *keyring,
		       struct varve_error *err)
{
	int r = spec_set_text(c, spec, "keyring", keyring, "", err);
	const char *path = json_optional_string(spec, "keyring", "");

	if (r < 0)
		return r;
	r = spec_set_file_digest(c, spec, "keyring-digest", path, err);
	if (r < 0)
		r = recipe_error(&keyring->at, err, "keyring %s cannot be read", path);
	return r;
}

/* Left out where there is none, so that the specs of most sources stay as they are. */
static int set_repositories(struct compiler *c, json_t *spec, const struct recipe_source *source,
			    struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *list = json_array();
	size_t i;
	int r = 0;

	for (i = 0; i < source->repository_count && r == 0; i++) {
		const struct recipe_repository *from = &source->repositories[i];
		CLEANUP(strv_release) struct strv components = STRV_INIT;
		json_t *entry = json_object();

		json_append(list, entry);
		r = spec_set_text(c, entry, "mirror", &from->mirror, "", err);
		if (r == 0)
			r = spec_set_text(c, entry, "suite", &from->suite, "", err);
		if (r == 0)
			r = set_keyring(c, entry, &from->keyring, err);
		if (r == 0)
			r = spec_add_texts(c, &from->components, &components, err);
		if (components.count == 0 &&
		    !str_ends(json_optional_string(entry, "suite", ""), "/"))
			strv_add(&components, "main");
		json_set(entry, "components", json_of_strv(&components));
	}
	if (r == 0 && json_array_size(list) > 0)
		json_set(spec, "repositories", json_incref(list));
	return r;
}

static int set_pins(struct compiler *c, json_t *spec, const struct recipe_source *source,
		    struct varve_error *err)
{
	CLEANUP(strv_release) struct strv pins = STRV_INIT;
	size_t i;
	int r = spec_add_texts(c, &source->pins, &pins, err);

	for (i = 0; i < pins.count && r == 0; i++) {
		struct recipe_value expanded = {pins.items[i], source->pins.items[0].at};

		r = grammar_check(GRAMMAR_PIN, &expanded, "a pin", err);
	}
	if (r == 0 && pins.count > 0)
		json_set(spec, "pins", json_of_strv(&pins));
	return r;
}

int debian_spec(struct compiler *c, const struct recipe_source *source, int below, json_t *spec,
		struct varve_error *err)
{
	json_t *installed = installed_below(c->plan, below);
	int r;

	json_set(spec, "bootstrap", json_boolean(json_array_size(installed) == 0));
	json_set(spec, "installed", installed);
	r = set_suites(c, spec, source, err);
	if (r == 0)
		r = set_packages(c, spec, source, err);
	if (r == 0)
		r = set_snapshot(c, spec, source, err);
	if (r == 0)
		r = spec_set_text(c, spec, "mirror", &source->mirror, "debian", err);
	if (r == 0)
		r = set_keyring(c, spec, &source->keyring, err);
	if (r == 0)
		r = spec_set_text(c, spec, "architecture", &source->architecture,
				  debian_architecture(c->plan->platform), err);
	if (r == 0)
		r = set_repositories(c, spec, source, err);
	if (r == 0)
		r = set_pins(c, spec, source, err);
	if (r == 0)
		r = spec_set_dependencies(c, spec, &source->dependencies, err);
	return r < 0 ? r : spec_set_boolean(c, spec, "recommends", &source->recommends, err);
}
