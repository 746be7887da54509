/* SPDX-License-Identifier: Apache-2.0
 * Bundles: everything that a recipe needs, as one OCI artifact in an image layout (a directory or
 *one tar), so that every tool that moves images moves it. Its bytes depend on nothing but its
 *content.
 *
 *	manifest  artifactType VARVE_BUNDLE; layers in this order:
 *	config    {"varve-bundle":1,"name":...,"recipe":PATH,"lock":PATH or "","platform":...,
 *		   "settings":["NAME=VALUE",...],"images":[...],"sources":[{"name":...,"spec":DIGEST},...]}
 *	inputs    a tar: the recipe, its includes, its lock, local sources, keyrings, at their
 *places below the deepest directory that holds them all artifacts of the locked sources, each once,
 *by digest; title: the artifact's name layers    of steps (with --layers), by digest, in their own
 *media types records   of those steps, which say what key each layer belongs to, by digest
 *
 * A record cannot be checked without running its step: whoever imports records trusts the bundle as
 * much as its own builds. */
#ifndef SOURCE_BUNDLE_H
#define SOURCE_BUNDLE_H

#include "image/image.h"
#include "source/layout.h"
#include "source/source.h"

#define VARVE_BUNDLE "application/vnd.varve.bundle.v1"
#define VARVE_BUNDLE_CONFIG "application/vnd.varve.bundle.config.v1+json"
#define VARVE_BUNDLE_INPUTS "application/vnd.varve.bundle.inputs.v1.tar"
#define VARVE_BUNDLE_ARTIFACT "application/vnd.varve.bundle.artifact.v1"
#define VARVE_BUNDLE_RECORD "application/vnd.varve.bundle.record.v1+json"

struct bundle_blob {
	struct varve_descriptor descriptor;
	char *title; /* for people: file name, package, "STAGE/STEP"; owned */
};

struct bundle {
	struct varve_descriptor manifest, config_descriptor;
	json_t *config; /* owned */
	struct bundle_blob *blobs; /* the layers of the manifest, in its order */
	size_t count, alloc;
};
void bundle_release(struct bundle *bundle); /* for CLEANUP */

/* --- what it holds: bundle_inputs.c ----------------------------------------------------------- */
/* The recipe's own files. */
struct bundle_inputs {
	char *root; /* absolute: the directory that the tar is taken from; owned */
	json_t *files; /* path below root -> as in source_listing.h; owned */
};
void bundle_inputs_release(struct bundle_inputs *inputs);
/* paths: of single files, as the program names them (recipe, includes, lock, keyrings); absent ones
 * are an error. locals: specs of local sources, whose paths start at context->directory. */
int bundle_inputs_collect(struct source_context *context, const struct strv *paths,
			  const json_t *locals, struct bundle_inputs *ret, struct varve_error *err);
/* The path of a collected file below root. Caller frees. */
char *bundle_inputs_path(const struct bundle_inputs *inputs, const char *path);
/* Writes the tar as a blob; -ESTALE names a file that is no longer what was collected. */
int bundle_inputs_pack(const struct bundle_inputs *inputs, struct varve_store *store,
		       struct varve_descriptor *ret, struct varve_error *err);

/* --- writing: bundle_write.c ------------------------------------------------------------------ */
/* Adds a blob that the store has; one that is there already is not added again. */
void bundle_add(struct bundle *bundle, const struct varve_descriptor *blob, const char *title);
/* Sorts blobs, makes config and manifest blobs of the store, writes the layout: transport IMAGE_OCI
 * (a directory that is absent or empty) or IMAGE_OCI_ARCHIVE. */
int bundle_write(struct bundle *bundle, struct varve_store *store,
		 const struct image_target *target, struct varve_error *err);

/* --- reading: bundle_document.c, bundle_read.c -------------------------------------------------
 */
/* Documents, pure. */
json_t *bundle_manifest_json(const struct bundle *bundle);
int bundle_manifest_parse(const json_t *manifest, struct bundle *ret, struct varve_error *err);
int bundle_config_check(const json_t *config, struct varve_error *err);

/* Reads manifest and config, each checked against its digest. */
int bundle_open(const struct layout *layout, struct bundle *ret, struct varve_error *err);
/* Brings the blobs into the store, each verified, whether the store has it already or not; a
 * missing or altered one is named, and so is a file that the bundle does not list. records: also
 * layers and records. */
int bundle_import(const struct layout *layout, const struct bundle *bundle,
		  struct varve_store *store, bool records, struct varve_error *err);
/* Unpacks the inputs into the directory path, which is absent or empty. */
int bundle_unpack(const struct bundle *bundle, struct varve_store *store, const char *path,
		  struct varve_error *err);

#endif
