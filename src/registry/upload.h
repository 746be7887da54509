/* SPDX-License-Identifier: Apache-2.0
 * One blob to a registry: acts as upload_plan.h says, hashing what goes out. */
#ifndef REGISTRY_UPLOAD_H
#define REGISTRY_UPLOAD_H

#include <stdatomic.h>
#include <varve/descriptor.h>
#include <varve/error.h>
#include "base/strv.h"

struct http_client;
struct registry;

struct upload_source {
	const struct varve_descriptor *blob;
	/* Opens the blob's file when bytes are needed; NULL or negative: see its error. */
	int (*open)(void *cookie, const struct varve_descriptor *blob, struct http_client *client,
		    int *ret_fd, struct varve_error *err);
	void *cookie;
	int sessions; /* directory of upload sessions, -1: none are kept */
	const struct strv *mounts; /* repositories of this registry that may have it, best first */
};

/* What became of it, for the summary. */
enum upload_outcome { UPLOAD_WAS_THERE, UPLOAD_MOUNTED, UPLOAD_SENT };

/* -VARVE_E_DIGEST: the file is not what its digest says, found before the registry gets its last
 * byte. done counts bytes for progress. */
int upload_blob(struct registry *registry, struct http_client *client,
		const struct upload_source *source, _Atomic uint64_t *done,
		enum upload_outcome *ret, struct varve_error *err);

#endif
