/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REMOTE_TAGS_H
#define REGISTRY_REMOTE_TAGS_H

#include "registry/registry.h"

/* All tags of the repository, page by page, sorted; none where it does not exist. */
int remote_tags(struct registry *registry, struct http_client *client, struct strv *ret,
		struct varve_error *err);

/* The address of the next page in a Link header of the same registry, or NULL. Caller frees. */
char *remote_next_page(const struct registry *registry, const struct http_answer *answer);

#endif
