/* SPDX-License-Identifier: Apache-2.0
 * Explaining, inside: values are compared member by member; lists of artifacts and listings of
 * local directories have their own words. */
#ifndef PLAN_PLAN_EXPLAIN_H
#define PLAN_PLAN_EXPLAIN_H

#include "plan/plan.h"

struct explain {
	plan_listing listing; /* may be NULL */
	void *cookie;
	struct strv *lines;
};

/* Adds what differs; path names the value, "" for the whole. */
void explain_value(struct explain *e, const char *path, const json_t *before, const json_t *after);
/* "PATH: OLD -> NEW" */
void explain_change(struct explain *e, const char *path, const json_t *before, const json_t *after);
/* Two lists of objects with a name each: "PATH: bash 5.1 -> 5.2", "PATH: + jq 1.6". */
void explain_artifacts(struct explain *e, const char *path, const json_t *before,
		       const json_t *after);
/* Two digests of local sources, file by file; false when a listing is not known. */
bool explain_listing(struct explain *e, const char *path, const char *before, const char *after);

#endif
