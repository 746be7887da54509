/* SPDX-License-Identifier: Apache-2.0
 * Names of images in registries, as skopeo spells them. Pure.
 *
 *	reference  = [ "docker://" ] HOST [ ":" PORT ] "/" REPOSITORY [ ":" TAG ] [ "@" DIGEST ]
 *
 * Everything is checked before a URL or a path is made of it (CVE-2024-3727). */
#ifndef REGISTRY_REFERENCE_H
#define REGISTRY_REFERENCE_H

#include <varve/digest.h>
#include <varve/error.h>

struct reference {
	char *host; /* with its port, as written ("docker.io"); owned, as the next two */
	char *repository; /* "library/debian" */
	char *tag; /* NULL: not given */
	struct varve_digest digest; /* none: not given */
};

/* -VARVE_E_USAGE says what is wrong; a name without a host is refused, with what was perhaps meant.
 */
int reference_parse(const char *text, struct reference *ret, struct varve_error *err);
void reference_release(struct reference *reference);

/* HOST or HOST:PORT alone, for login. */
int reference_check_host(const char *host, struct varve_error *err);

/* HOST/REPOSITORY[:TAG][@DIGEST]. Caller frees. */
char *reference_text(const struct reference *reference);
/* What stands behind "manifests/": the digest where there is one, else the tag, else "latest".
 * Returns the buffer. */
enum { REFERENCE_TARGET = 130 };
const char *reference_target(const struct reference *reference, char buffer[REFERENCE_TARGET]);
/* The host that is talked to: Docker's registry lies at another name. Borrowed. */
const char *reference_api_host(const struct reference *reference);
/* "sha256-HEX": the tag that lists what refers to a manifest, where the registry cannot
 * (distribution-spec, "Referrers Tag Schema"). Returns the buffer. */
const char *reference_referrers_tag(const struct varve_digest *digest,
				    char buffer[VARVE_DIGEST_TEXT]);
/* "sha256-HEX.sig": the tag under which cosign's older ("simple") signatures of a manifest are.
 * Returns the buffer. */
enum { REFERENCE_SIGNATURES_TAG = VARVE_DIGEST_TEXT + 4 };
const char *reference_signatures_tag(const struct varve_digest *digest,
				     char buffer[REFERENCE_SIGNATURES_TAG]);

#endif
