/* SPDX-License-Identifier: Apache-2.0
 * What is attached to an image: SBOMs, provenance, signatures, anything. Each is a manifest that
 * refers to the image (image-spec 1.1, manifest.md, "subject") with one blob, in the store, OCI
 * layouts and registries alike (struct referrers_end says where).
 *
 *	bytes -> attestation_put -> manifest, listed for its subject
 *	subject -> attestation_list -> attestation_read -> bytes
 *	subject -> attestation_find_statement -> in-toto statement, bare or from an envelope */
#ifndef AUDIT_ATTESTATION_H
#define AUDIT_ATTESTATION_H

#include "base/json.h"
#include "registry/manifest.h"
#include "registry/referrers_end.h"

/* Types of what is attached: of the artifact and of its blob. */
#define ATTESTATION_SPDX "application/spdx+json"
#define ATTESTATION_CYCLONEDX "application/vnd.cyclonedx+json"
#define ATTESTATION_STATEMENT "application/vnd.in-toto+json"
#define ATTESTATION_BUNDLE "application/vnd.dev.sigstore.bundle.v0.3+json"
/* Types of in-toto statements' predicates. */
#define PREDICATE_SPDX "https://spdx.dev/Document"
#define PREDICATE_CYCLONEDX "https://cyclonedx.org/bom"
#define PREDICATE_PROVENANCE "https://slsa.dev/provenance/v1"
#define PREDICATE_SIGNATURE "https://sigstore.dev/cosign/sign/v1"
#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"

struct signature_key;

enum { ATTESTATION_LIMIT = JSON_LIMIT }; /* bytes of a document that is read */

/* What is to be attached. */
struct attestation {
	const char *type; /* media type, at most VARVE_MEDIA_TYPE - 1 bytes */
	const char *title; /* file name (org.opencontainers.image.title); NULL: none */
	const json_t *annotations; /* of the manifest: strings; NULL: none */
	const struct signature_key *key; /* signs it: signature_put_document; NULL: nobody */
};

/* The manifest that attestation_put attaches, for what is to be put by other means: with the bytes
 * (blob: their descriptor) and with ATTESTATION_CONFIG. Pure. */
#define ATTESTATION_CONFIG "{}" /* a blob, too */
int attestation_make(const struct varve_descriptor *subject, const struct attestation *attestation,
		     const struct varve_descriptor *blob, struct manifest *ret,
		     struct varve_error *err);
/* Attaches bytes to the subject; the manifest is the same for the same bytes, and attached once.
 * ret (may be NULL): its descriptor. -VARVE_E_LIMIT: bytes that could not be read again. */
int attestation_put(const struct referrers_end *end, const struct varve_descriptor *subject,
		    const struct attestation *attestation, const struct buf *bytes,
		    struct varve_descriptor *ret, struct varve_error *err);
/* The same for a file of any size, read to its end in one pass. */
int attestation_put_file(const struct referrers_end *end, const struct varve_descriptor *subject,
			 const struct attestation *attestation, int fd,
			 struct varve_descriptor *ret, struct varve_error *err);

/* One of a list; the texts are borrowed from it. */
struct attestation_entry {
	struct varve_descriptor manifest;
	const char *type; /* as the list says; "" where it says none */
	const json_t *annotations; /* NULL: none */
};
struct attestation_list {
	json_t *index; /* owned */
	struct attestation_entry *items; /* in the list's order; owned */
	size_t count;
};
/* What refers to the subject, of one type or (NULL) of any. The list says so; the manifests tell
 * whether it is true. */
int attestation_list(const struct referrers_end *end, const struct varve_digest *subject,
		     const char *type, struct attestation_list *ret, struct varve_error *err);
void attestation_list_release(struct attestation_list *list); /* usable with CLEANUP */

/* Reads a listed manifest and its blob, verified. -VARVE_E_FORMAT: it does not refer to the
 * subject, or has not exactly one blob. ret_type (may be NULL): media type of the blob. */
int attestation_read(const struct referrers_end *end, const struct varve_digest *subject,
		     const struct varve_descriptor *manifest, struct buf *ret_bytes,
		     char ret_type[VARVE_MEDIA_TYPE], struct varve_error *err);

/* Of an artifact of any kind: that its manifest refers to the subject, and that all its blobs are
 * there and are what they should be. */
int attestation_verify(const struct referrers_end *end, const struct varve_digest *subject,
		       const struct varve_descriptor *manifest, struct varve_error *err);

/* Pure: an in-toto statement about one image. predicate is taken. */
json_t *attestation_statement(const struct varve_digest *subject, const char *predicate_type,
			      json_t *take_predicate);
/* Pure: is it a statement, and about this image? -VARVE_E_FORMAT says what is wrong. */
int attestation_check_statement(const json_t *statement, const struct varve_digest *subject,
				struct varve_error *err);
/* The first statement with this type of predicate that is attached, bare or in a bundle, whose
 * signature is NOT looked at here. -VARVE_E_NOT_FOUND: there is none. */
int attestation_find_statement(const struct referrers_end *end, const struct varve_digest *subject,
			       const char *predicate_type, json_t **ret, struct varve_error *err);

#endif
