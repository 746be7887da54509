/* SPDX-License-Identifier: Apache-2.0
 * A signed document as sigstore's bundle (v0.3) carries it: a DSSE envelope, and which key it is
 * by. Pure.
 *
 *	bundle    = { "mediaType", "verificationMaterial": { "publicKey": { "hint": KEY } },
 *		      "dsseEnvelope": { "payload", "payloadType", "signatures": [ { "sig" } ] } }
 *	signed    = "DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload
 *
 * KEY is the base64 of sha256 of the public key. */
#ifndef AUDIT_SIGSTORE_BUNDLE_H
#define AUDIT_SIGSTORE_BUNDLE_H

#include <varve/digest.h>
#include <varve/error.h>
#include "base/buf.h"

struct signature_key;

struct sigstore_bundle {
	struct buf payload; /* the document's bytes; owned, as the others */
	char *payload_type;
	struct buf signature; /* DER */
	char *hint; /* KEY; NULL: by a certificate, or nobody says */
};

/* -VARVE_E_FORMAT: no such bundle; -VARVE_E_LIMIT. Signs nothing off: see sigstore_bundle_is_by. */
int sigstore_bundle_parse(const char *text, size_t len, struct sigstore_bundle *ret,
			  struct varve_error *err);
void sigstore_bundle_release(struct sigstore_bundle *bundle); /* usable with CLEANUP */
/* Signs the payload and appends the bundle. */
int sigstore_bundle_sign(const struct signature_key *key, const char *payload_type,
			 const struct buf *payload, struct buf *out, struct varve_error *err);

/* Does it say that it is by this key; and is it. */
bool sigstore_bundle_claims(const struct sigstore_bundle *bundle, const struct signature_key *key);
bool sigstore_bundle_is_by(const struct sigstore_bundle *bundle, const struct signature_key *key);

#endif
