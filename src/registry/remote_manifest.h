/* SPDX-License-Identifier: Apache-2.0
 * Manifests in a registry. */
#ifndef REGISTRY_REMOTE_MANIFEST_H
#define REGISTRY_REMOTE_MANIFEST_H

#include <stdbool.h>
#include "registry/manifest.h"
#include "registry/registry.h"

/* target: a tag, or "sha256:...". Verifies the bytes against the digest asked for and the one that
 * the registry names. -VARVE_E_NOT_FOUND says that the name is unknown there. */
int remote_manifest_get(struct registry *registry, struct http_client *client, const char *target,
			struct manifest *ret, struct varve_error *err);
/* The same, with the version of what the name stands for (ETag); NULL where the registry tells
 * none. Caller frees. */
int remote_manifest_get_version(struct registry *registry, struct http_client *client,
				const char *target, struct manifest *ret, char **ret_version,
				struct varve_error *err);
/* HEAD: 1 and the descriptor (media type, digest, size) where the registry tells them; 0: it is not
 * there; HEADs do not count against pull limits. */
int remote_manifest_look(struct registry *registry, struct http_client *client, const char *target,
			 struct varve_descriptor *ret, struct varve_error *err);
/* target: a tag or the digest. 0, or -VARVE_E_NOT_FOUND when the registry misses a blob of it.
 * ret_subject (may be NULL): the registry took note of the manifest's subject. */
int remote_manifest_put(struct registry *registry, struct http_client *client, const char *target,
			const struct manifest *manifest, bool *ret_subject,
			struct varve_error *err);
/* The same, unless the target stands for something else than that version by now (If-Match): then
 * -ESTALE without a text. Registries that know no conditions do it in any case. */
struct remote_version {
	const char *target;
	const char *version; /* as remote_manifest_get_version gave it; NULL: whatever it is */
};
int remote_manifest_put_over(struct registry *registry, struct http_client *client,
			     const struct remote_version *over, const struct manifest *manifest,
			     bool *ret_subject, struct varve_error *err);
int remote_manifest_delete(struct registry *registry, struct http_client *client,
			   const char *target, struct varve_error *err);

#endif
