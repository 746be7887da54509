/* SPDX-License-Identifier: Apache-2.0
 * The run's own certificate authority: made anew for each recording, never written to disk with its
 * key. */
#ifndef RECORD_RECORD_AUTHORITY_H
#define RECORD_RECORD_AUTHORITY_H

#include <varve/error.h>

struct evp_pkey_st;
struct x509_st;

struct record_authority {
	struct evp_pkey_st *key; /* of the authority and of all that it signs */
	struct x509_st *certificate;
};
int record_authority_make(struct record_authority *ret, struct varve_error *err);
void record_authority_release(struct record_authority *authority);
/* The certificate as PEM. Caller frees; NULL: it cannot be written. */
char *record_authority_pem(const struct record_authority *authority);
/* A certificate for a host (a name or an address, without port). Caller frees; NULL on failure. */
struct x509_st *record_authority_sign(const struct record_authority *authority, const char *host);

#endif
