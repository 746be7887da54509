/* SPDX-License-Identifier: Apache-2.0
 * Where in the text of a lock something stands. jansson does not keep places, so the text, which is
 * known to be JSON, is walked once more when an error has to name one. */
#ifndef LOCK_LOCK_PLACE_H
#define LOCK_LOCK_PLACE_H

#include <stddef.h>

enum { LOCK_NOWHERE = -1 };

struct lock_place {
	unsigned line, column; /* from 1 */
};

/* The place of the source-th element of "sources", or, where artifact is not LOCK_NOWHERE, of the
 * artifact-th element of its "artifacts"; 1:1 when source is LOCK_NOWHERE or there is no such
 * thing. */
struct lock_place lock_place_of(const char *text, size_t len, long source, long artifact);

#endif
