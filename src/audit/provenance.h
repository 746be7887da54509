/* SPDX-License-Identifier: Apache-2.0
 * Where an image comes from, as an in-toto statement (v1) with SLSA's predicate (v1:
 *attestation.h). Pure: plan, lock and keys in, canonical JSON out, and back again:
 *
 *	build + request -> provenance_statement -> JSON -> provenance_parse -> struct provenance
 *
 *	statement    {"_type", "predicate": {"buildDefinition", "runDetails"}, "predicateType",
 *		      "subject": [{"digest": {"sha256"}, "name"}]}
 *	externalParameters   {"compression", "epoch"?, "images": [NAME], "lock", "options": {NAME:
 *VALUE}, "platform", "recipe": {"digest", "name", "path"}, "registry"?} internalParameters
 *{"compressor", "layerRules", "planFormat"} resolvedDependencies [inputs, files of the recipe, base
 *images, git commits, local sources, artifacts], each {"annotations": {"kind", ...}, "digest",
 *"name", "uri"} metadata     {"varve_completeness": {"parameters", "resolvedDependencies"},
 *"varve_hermetic", "varve_incomplete": [WHY], and if asked for invocationId, startedOn, finishedOn}
 *	byproducts [{"name": "step STAGE/STEP", "digest": its key, "annotations": {"diffIds",
 *"layers"}},
 *		    {"name": "log STAGE/STEP", "digest": of the log}]
 *
 * Where bytes were fetched from is no part of it, nor is the host: only logs differ between two
 *builds of the same on two hosts. */
#ifndef AUDIT_PROVENANCE_H
#define AUDIT_PROVENANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/descriptor.h>
#include "base/json.h"
#include "base/strv.h"

struct build;
struct plan;

#define PROVENANCE_BUILD_TYPE "https://varve.dev/provenance/recipe/v1"
#define PROVENANCE_BUILDER "https://varve.dev/provenance/builder/v1"
/* Of a dependency: the canonical listing of a local source (source/source_listing.h). */
#define PROVENANCE_LISTING "application/vnd.varve.listing.v1+json"

/* What was asked for, beside the plan; borrowed. */
struct provenance_request {
	const json_t *options; /* {"NAME": VALUE} of all options that reach a byte */
	const char *registry; /* HOST[/PREFIX], NULL: none */
	int64_t epoch; /* SOURCE_DATE_EPOCH of the environment, -1: not set */
	const char *compression; /* canonical name, "zstd:3" */
	const char *compressor; /* library and version */
	const char *recipe, *lock; /* their paths among the files; lock "": there is none */
	const json_t *files; /* the recipe's own: path -> as in source/source_listing.h */
	struct varve_descriptor inputs; /* the tar that holds those files */
	bool has_locals; /* and the local sources too */
	const struct varve_digest *logs; /* one per step of the plan; none: it has no log */
	const char *invocation; /* id of the run, NULL: neither it nor times are told */
	int64_t started, finished; /* seconds; with an invocation */
};

/* True for each step that the image needs, also those that only others look at. Caller frees. */
bool *provenance_steps(const struct plan *plan, size_t image);
/* What the image's build read that no digest fixes, a line each: network, secrets, caches. Returns
 * whether the build was hermetic: no step had a network. ret_secrets: whether one read a secret. */
bool provenance_gaps(const struct plan *plan, const bool *steps, struct strv *ret,
		     bool *ret_secrets);
/* resolvedDependencies. Owned by the caller. */
json_t *provenance_dependencies(const struct plan *plan, size_t image, const bool *steps,
				const struct provenance_request *request);
/* The statement about plan->images[image], whose manifest has this digest. All its steps are known.
 * Owned by the caller. */
json_t *provenance_statement(const struct build *build, size_t image,
			     const struct varve_digest *manifest,
			     const struct provenance_request *request);

/* What a rebuild needs of a statement; borrowed from it. */
struct provenance {
	const char *recipe, *lock; /* paths among the inputs' files; lock may be "" */
	const char *recipe_name, *recipe_digest; /* "sha256:HEX" of the merged recipe */
	const json_t *options; /* {"NAME": VALUE} */
	const char *image; /* its name in the recipe */
	const char *platform, *compression;
	const char *registry; /* NULL: none */
	int64_t epoch; /* -1: not set */
	const json_t *dependencies; /* array */
	const json_t *steps; /* byproducts: array */
	struct varve_digest inputs; /* of the blob with the recipe's files */
	bool has_locals; /* that blob has the local sources too, where there are any */
	bool hermetic;
};

/* -VARVE_E_FORMAT: no statement of this kind, a member that is missing or of another type, a path
 * that leaves its directory, another image. */
int provenance_parse(const json_t *statement, const struct varve_digest *manifest,
		     struct provenance *ret, struct varve_error *err);

#endif
