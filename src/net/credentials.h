/* SPDX-License-Identifier: Apache-2.0
 * Who we are to a registry: auth.json of the container tools and docker's config.json.
 *
 *	file        = { "auths": { KEY: entry }, "credHelpers": { HOST: NAME }, "credsStore": NAME }
 *	entry       = { "auth": base64(user ":" secret), "username", "password", "identitytoken",
 *			"registrytoken" }
 *	KEY         = [ scheme "://" ] HOST [ "/" PATH ] ; the most specific one counts
 *
 * ~/.dockercfg holds the "auths" object alone. Looked at in order, the first that knows the host
 * wins: --authfile or REGISTRY_AUTH_FILE alone where they are set; else
 * $XDG_RUNTIME_DIR/containers/auth.json, $XDG_CONFIG_HOME/containers/auth.json,
 * $DOCKER_CONFIG/config.json (or ~/.docker/config.json), ~/.dockercfg. A helper named for the host
 * is asked before "credsStore", and that before "auths". Nothing of this is ever printed. */
#ifndef NET_CREDENTIALS_H
#define NET_CREDENTIALS_H

#include <stdbool.h>
#include <varve/error.h>
#include "base/json.h"
#include "base/strv.h"

struct credentials {
	char *user, *secret; /* NULL: none; owned, wiped when released */
	char *identity_token; /* for the token server, in place of user and secret */
	char *registry_token; /* for the registry itself */
};
void credentials_release(struct credentials *credentials);
bool credentials_are_none(const struct credentials *credentials);

/* Fills ret (all NULL where nobody knows the host) and adds the files that were looked at.
 * authfile: NULL, or the only file. */
int credentials_find(const char *authfile, const char *host, const char *repository,
		     struct credentials *ret, struct strv *looked_at, struct varve_error *err);
/* The same from one parsed file, pure but for a helper that it names. 1: known, 0: not. */
int credentials_in(const json_t *file, const char *host, const char *repository,
		   struct credentials *ret, struct varve_error *err);

/* login, logout: the file that is written is --authfile, REGISTRY_AUTH_FILE, or the first of the
 * list above that a directory is set for. Mode 0600, by rename, what else it holds is kept. Where
 * the file names a helper for the host, the helper keeps the secret. ret_path: caller frees. */
int credentials_store(const char *authfile, const char *host, const struct credentials *credentials,
		      char **ret_path, struct varve_error *err);
/* -VARVE_E_NOT_FOUND where the host was not known. */
int credentials_erase(const char *authfile, const char *host, char **ret_path,
		      struct varve_error *err);

/* docker.io, index.docker.io and registry-1.docker.io are one. Static or the argument itself. */
const char *credentials_host(const char *host);

#endif
