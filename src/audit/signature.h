/* SPDX-License-Identifier: Apache-2.0
 * Signatures of images, in the two forms that cosign knows.
 *
 * bundle: an in-toto statement in a DSSE envelope, attached to the image (attestation.h).
 * simple: a manifest of the name "sha256-HEX.sig" with a layer per signature: its blob is the text
 *	that was signed, which names the image's digest, its annotation the signature. */
#ifndef AUDIT_SIGNATURE_H
#define AUDIT_SIGNATURE_H

#include "audit/attestation.h"
#include "audit/signature_key.h"

#define SIMPLE_LAYER "application/vnd.dev.cosign.simplesigning.v1+json"
#define SIMPLE_SIGNATURE "dev.cosignproject.cosign/signature"

enum { SIMPLE_PAYLOAD_LIMIT = 1 << 20 /* bytes of a signed text */ };

/* Signs a statement about the subject and attaches it. The statement is taken. */
int signature_put_statement(const struct referrers_end *end, const struct varve_descriptor *subject,
			    const struct signature_key *key, json_t *take_statement,
			    struct varve_descriptor *ret, struct varve_error *err);

/* Attaches a JSON document of the attestation's type; with the attestation's key signed: a
 * statement as it is, an SPDX or CycloneDX document as the predicate of one. -VARVE_E_USAGE: there
 * is no such statement of this type; -VARVE_E_FORMAT: a statement that is about something else. */
int signature_put_document(const struct referrers_end *end, const struct varve_descriptor *subject,
			   const struct attestation *attestation, const struct buf *bytes,
			   struct varve_descriptor *ret, struct varve_error *err);

/* Adds a simple signature beside those that are there. reference: the image's name, which is part
 * of what is signed; "" for none. Others may do so at once: where a registry knows conditions they
 * are used, where not it is read again a while later. ret: the manifest with all signatures. */
int signature_put_simple(const struct referrers_end *end, const struct varve_descriptor *subject,
			 const struct signature_key *key, const char *reference,
			 struct varve_descriptor *ret, struct varve_error *err);

/* One simple signature, as it is. */
struct simple_signature {
	struct buf payload; /* owned */
	struct buf signature; /* owned */
};
void simple_signature_release(struct simple_signature *signature); /* usable with CLEANUP */

/* Reads the signature in one layer of that manifest. -VARVE_E_FORMAT, -VARVE_E_DIGEST. */
int simple_read(const struct referrers_end *end, const json_t *layer, struct simple_signature *ret,
		struct varve_error *err);
/* Pure: the text is one of this kind, and names this image. */
int simple_check_payload(const struct buf *payload, const struct varve_digest *subject,
			 struct varve_error *err);

#endif
