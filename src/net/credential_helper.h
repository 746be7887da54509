/* SPDX-License-Identifier: Apache-2.0
 * Programs docker-credential-NAME: one verb as argument, the server or a JSON object on stdin, a
 * JSON object on stdout. */
#ifndef NET_CREDENTIAL_HELPER_H
#define NET_CREDENTIAL_HELPER_H

#include "net/credentials.h"

/* 1: known, 0: the helper does not know the server. A helper that fails otherwise is an error, not
 * anonymous access. */
int credential_helper_get(const char *name, const char *server, struct credentials *ret,
			  struct varve_error *err);
int credential_helper_store(const char *name, const char *server,
			    const struct credentials *credentials, struct varve_error *err);
int credential_helper_erase(const char *name, const char *server, struct varve_error *err);

#endif
