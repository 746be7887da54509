/* SPDX-License-Identifier: Apache-2.0
 * Certificates for a registry, from directories "HOST[:PORT]" as the container tools keep them:
 * *.crt are authorities, *.cert with the *.key of the same name are ours. */
#ifndef REGISTRY_REGISTRY_TRUST_H
#define REGISTRY_REGISTRY_TRUST_H

#include "net/http_exchange.h"

/* cert_dir: that directory itself, NULL: $XDG_CONFIG_HOME (or ~/.config)/containers/certs.d,
 * /etc/containers/certs.d, /etc/docker/certs.d, the first that has one for the host. */
int registry_trust_find(const char *cert_dir, const char *host, struct http_trust *ret,
			struct varve_error *err);
/* Where a certificate for the host belongs: the directory that is there, or the first of the
 * places. Caller frees. */
char *registry_trust_place(const char *cert_dir, const char *host);
/* The host's TLS did not take us: says so, and where a certificate belongs. -VARVE_E_NETWORK. */
int registry_trust_unproven(const char *cert_dir, const char *host, const struct http_trust *trust,
			    struct varve_error *err);

#endif
