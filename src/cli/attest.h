/* SPDX-License-Identifier: Apache-2.0
 * What a build says of the images that it made: provenance, and the recipe's files, attached to
 * each image in the store and, where asked for, where the image goes. */
#ifndef CLI_ATTEST_H
#define CLI_ATTEST_H

#include "audit/attestation.h"
#include "cli/recipe_inputs.h"
#include "cli/remote.h"
#include "registry/referrers_end.h"

/* Annotation of a manifest that varve build attaches, and its value. In the store there is one of
 * each type for an image, that of the last build. */
#define ATTEST_MADE_BY "dev.varve.attested"
#define ATTEST_BUILD "build"

struct attest {
	struct session *session; /* borrowed */
	struct recipe_inputs inputs;
	struct varve_digest *logs; /* one per step of the plan; owned */
	int64_t started; /* seconds */
	struct buf *statements; /* one per image, canonical JSON and a newline; owned */
	size_t count; /* of statements */
};
void attest_release(struct attest *attest); /* usable with CLEANUP */

/* Before the build: notes the time. */
void attest_begin(struct attest *attest, struct session *session);
/* After it: makes the statements (manifests: one per image of the plan) and attaches them in the
 * store. */
int attest_in_store(struct attest *attest, const struct varve_descriptor *manifests,
		    struct varve_error *err);
/* What is attached to an image. */
enum attest_kind { ATTEST_INPUTS, ATTEST_STATEMENT, ATTEST_KINDS };
/* How; *ret_annotations are the caller's, the attestation borrows them. */
struct attestation attest_describe(enum attest_kind kind, json_t **ret_annotations);
/* attest_in_store's last part. What the last build attached to the same images, of the same bytes,
 * is left alone. */
int attest_keep(const struct attest *attest, const struct varve_descriptor *manifests,
		struct varve_error *err);

/* Attaches those of one image elsewhere. */
int attest_put(const struct attest *attest, size_t image, const struct varve_descriptor *manifest,
	       const struct referrers_end *end, struct varve_error *err);

/* The same for a layout that has the image, and for where the image was pushed to. */
int attest_in_layout(const struct attest *attest, size_t image,
		     const struct varve_descriptor *manifest, const char *path,
		     struct varve_error *err);
int attest_in_registry(const struct attest *attest, size_t image,
		       const struct varve_descriptor *manifest, const struct remote *remote,
		       const struct reference *reference, struct varve_error *err);

#endif
