/* SPDX-License-Identifier: Apache-2.0
 * What the store's records know of an image's steps: the artifacts that went in, by digest. */
#include "audit/sbom.h"

#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "source/python_name.h"
#include "store/store.h"

/* One record's step. */
struct step_sources {
	struct sbom *sbom;
	unsigned layer;
	size_t found; /* packages that the image's databases told of */
};

static bool is_same(const struct package *package, const char *name, const char *version)
{
	CLEANUP(free_ptr) char *left = NULL;
	CLEANUP(free_ptr) char *right = NULL;

	if (package->kind == PACKAGE_DEB)
		return strcmp(package->name, name) == 0 && strcmp(package->version, version) == 0;
	left = python_project(package->name);
	right = python_project(name);
	return strcmp(left, right) == 0 && python_same_version(package->version, version);
}

/* False where no database tells of it. */
static bool note_digest(struct step_sources *step, enum package_kind kind, const json_t *artifact,
			const struct varve_digest *sha256)
{
	const char *name = json_optional_string(artifact, "name", "");
	const char *version = json_optional_string(artifact, "version", "");
	bool found = false;

	for (size_t i = 0; i < step->found; i++) {
		struct package *package = &step->sbom->packages.items[i];

		if (package->kind != kind || !is_same(package, name, version))
			continue;
		if (varve_digest_is_none(&package->sha256))
			package->sha256 = *sha256;
		found = true;
	}
	return found;
}

static bool is_known(const struct packages *packages, const struct varve_digest *sha256,
		     bool build_only)
{
	for (size_t i = 0; i < packages->count; i++)
		if (varve_digest_equal(&packages->items[i].sha256, sha256) &&
		    (build_only || !packages->items[i].build_only))
			return true;
	return false;
}

static void add_artifact(struct step_sources *step, const char *kind, const json_t *artifact,
			 bool build_only)
{
	struct package *package;
	struct varve_digest sha256;

	if (json_get_digest(artifact, "sha256", &sha256, NULL) < 0)
		return;
	if (!build_only && strcmp(kind, "debian") == 0 &&
	    note_digest(step, PACKAGE_DEB, artifact, &sha256))
		return;
	if (!build_only && strcmp(kind, "python") == 0 &&
	    note_digest(step, PACKAGE_PYTHON, artifact, &sha256))
		return;
	if (is_known(&step->sbom->packages, &sha256, build_only))
		return;
	package = packages_add(&step->sbom->packages, PACKAGE_SOURCE, NULL);
	package->name = xstrdup(json_optional_string(artifact, "name", ""));
	package->version = xstrdup(json_optional_string(artifact, "version", ""));
	package->architecture = xstrdup(json_optional_string(artifact, "architecture", ""));
	package->summary = xasprintf("%s source", kind);
	package->sha256 = sha256;
	package->layer = step->layer;
	package->build_only = build_only;
}

static void add_content(struct step_sources *step, const json_t *content, bool build_only)
{
	const char *kind = json_optional_string(content, "kind", "");
	const json_t *artifacts = json_object_get(content, "artifacts"), *artifact;
	size_t i;

	json_array_foreach(artifacts, i, artifact) add_artifact(step, kind, artifact, build_only);
}

/* A package that was installed and is gone is in no image: only a copy's content stays as it is. */
static void add_step(struct step_sources *step, const json_t *input)
{
	bool copied = strcmp(json_optional_string(input, "action", ""), "copy") == 0;
	const json_t *mounts = json_object_get(input, "mounts"), *content;
	const char *target;

	content = json_object_get(input, "content");
	if (content)
		add_content(step, content, !copied && !json_object_get(content, "artifacts"));
	json_object_foreach((json_t *)(uintptr_t)mounts, target, content)
	{
		add_content(step, content, true);
	}
}

static void add_record(struct sbom *sbom, struct varve_store *store, const char *key,
		       unsigned layer, size_t found)
{
	CLEANUP(store_record_release) struct store_record record = {0};
	struct step_sources step = {.sbom = sbom, .layer = layer, .found = found};
	struct varve_digest digest;

	if (varve_digest_parse(key, &digest) == 0 &&
	    store_record_read(store, &digest, &record, NULL) == 0)
		add_step(&step, record.input);
}

void sbom_add_sources(struct sbom *sbom, struct varve_store *store)
{
	const json_t *history = json_object_get(sbom->side->config, "history"), *entry;
	size_t found = sbom->packages.count, i;
	static const char start[] = "varve key ";
	unsigned layer = 0;

	json_array_foreach(history, i, entry)
	{
		const char *comment = json_optional_string(entry, "comment", "");

		if (str_starts(comment, start))
			add_record(sbom, store, comment + strlen(start), layer, found);
		layer += !json_is_true(json_object_get(entry, "empty_layer"));
	}
	packages_settle(&sbom->packages, &sbom->content);
}
