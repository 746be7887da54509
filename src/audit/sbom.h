/* SPDX-License-Identifier: Apache-2.0
 * Bill of materials: which packages an image holds, and which file is of which package and layer.
 *
 *	image_side, store -> sbom_read -> struct sbom -> sbom_spdx | sbom_cyclonedx
 *
 * What packages there are is told by the image's own databases (package.h); the store's records of
 * the image's steps add the digests of what was installed, and what no database knows: git trees
 * and files by URL. The same image, records and options give the same bytes. */
#ifndef AUDIT_SBOM_H
#define AUDIT_SBOM_H

#include "audit/image_content.h"
#include "audit/package.h"

struct varve_store;

enum { SBOM_TIME = sizeof("2026-11-25T10:00:00Z") };

struct sbom {
	const struct image_side *side; /* borrowed */
	char *name; /* of the image; owned */
	char created[SBOM_TIME];
	bool files; /* list each file, with sums */
	struct image_content content;
	struct packages packages;
};

/* name: as documents shall call it. epoch: of the documents, -1: that of the image, else 1970. */
int sbom_read(struct varve_store *store, const struct image_side *side, const char *name,
	      bool files, struct sbom *ret, struct varve_error *err);
void sbom_set_time(struct sbom *sbom, int64_t epoch); /* in place of the image's own date */
void sbom_release(struct sbom *sbom); /* usable with CLEANUP */

json_t *sbom_spdx(const struct sbom *sbom); /* SPDX 2.3; caller owns it */
json_t *sbom_cyclonedx(const struct sbom *sbom); /* CycloneDX 1.6 */

/* --- for the parts -------------------------------------------------------------------------------
 */
/* From the store's records of the steps that the image's history names. */
void sbom_add_sources(struct sbom *sbom, struct varve_store *store);
/* What the history says of a layer (from 0); "" where it says nothing. Borrowed. */
const char *sbom_created_by(const struct sbom *sbom, unsigned layer);
/* "deb-bash-1a2b3c4d5e6f": one word for a package, that stays the same. Caller frees. */
char *sbom_package_id(const struct package *package);
/* "pkg:oci/NAME@sha256%3A...?arch=amd64". Caller frees. */
char *sbom_image_purl(const struct sbom *sbom);
/* A package's homepage may be anything: only what is a web address. */
bool sbom_is_address(const char *text);
/* Of name, manifest and format: what a document is known by. */
void sbom_document_digest(const struct sbom *sbom, const char *format, struct varve_digest *ret);

#endif
