/* SPDX-License-Identifier: Apache-2.0
 * Work on the store's trees, which may belong to ids of the user's range: only inside the namespace
 * can all of them be read and removed. */
#ifndef CLI_AS_OWNER_H
#define CLI_AS_OWNER_H

#include <stddef.h>

#include "cli/session.h"

struct owner_work {
	/* Fills result: plain bytes, on a pipe between two halves of one program. */
	void (*run)(void *cookie, void *result);
	void *cookie;
	void *result;
	size_t size; /* of it, in bytes; at most PIPE_BUF */
};

/* In a process inside the namespace where ids are of the range, else here. Finds the host. */
int as_owner(struct session *session, const struct owner_work *work, struct varve_error *err);

#endif
