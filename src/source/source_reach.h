/* SPDX-License-Identifier: Apache-2.0
 * Whether the machine's mirrors answer: for varve doctor. */
#ifndef SOURCE_SOURCE_REACH_H
#define SOURCE_SOURCE_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <varve/error.h>
#include "base/strv.h"

struct apt_archives;

struct source_reach {
	char *name; /* of the mirror; "apt" for the host's own archives */
	char *url; /* what is asked for: an InRelease file where there must be one */
	char *shown; /* url without credentials */
	bool answers;
	long status; /* of HTTP, 0: none */
	char why[256]; /* not, in one line */
};
struct source_reaches {
	struct source_reach *items;
	size_t count, alloc;
};
void source_reaches_release(struct source_reaches *reaches);

/* What there is to ask: the mirrors ("NAME=URL", rising weight) and the archives of apt, each place
 * once. Pure. */
void source_reaches_list(const struct strv *mirrors, const struct apt_archives *archives,
			 struct source_reaches *ret);
/* Asks all of them at once, once, for at most some seconds. Fails only where nothing can be
 * downloaded at all (no libcurl). */
int source_reaches_ask(struct source_reaches *reaches, struct varve_error *err);

#endif
