/* SPDX-License-Identifier: Apache-2.0
 * Keys for signatures: ECDSA with P-256 and SHA-256, the kind that every tool for image signatures
 * has. The door to OpenSSL's keys.
 *
 *	PEM file -> signature_key_read -> sign | verify */
#ifndef AUDIT_SIGNATURE_KEY_H
#define AUDIT_SIGNATURE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <varve/digest.h>
#include <varve/error.h>

struct buf;
struct signature_key;

enum {
	SIGNATURE_KEY_LIMIT = 64 << 10, /* bytes of a key file */
	SIGNATURE_LIMIT = 256, /* bytes of a signature (DER); P-256 has at most 72 */
};

/* Reads a PEM file: a private key (PKCS#8 or "EC PRIVATE KEY", without a password), which can also
 * verify, or, unless it is to sign, a public one. -VARVE_E_USAGE says what it is instead. */
int signature_key_read(const char *path, bool to_sign, struct signature_key **ret,
		       struct varve_error *err);
void signature_key_free(struct signature_key *key);
void signature_key_freep(struct signature_key **key);

/* sha256 of the public key (SubjectPublicKeyInfo, DER): names the key in bundles. */
void signature_key_id(const struct signature_key *key, struct varve_digest *ret);
/* Appends the signature (DER). It differs each time. Of a key that was read to sign. */
int signature_key_sign(const struct signature_key *key, const void *data, size_t len,
		       struct buf *out, struct varve_error *err);
/* True when the signature is by this key over these bytes; false for anything else, also what is no
 * signature at all. */
bool signature_key_verify(const struct signature_key *key, const void *data, size_t len,
			  const void *signature, size_t signature_len);

#endif
