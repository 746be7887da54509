/* SPDX-License-Identifier: Apache-2.0
 * One rebuild of an audited image, in a fresh store, and what came out. */
#ifndef CLI_AUDIT_REBUILD_H
#define CLI_AUDIT_REBUILD_H

#include "cli/audited.h"
#include "cli/rebuild.h"

/* How a rebuild's surroundings are unlike those of the first. */
struct audit_surroundings {
	struct rebuild_conditions conditions;
	struct strv environment; /* that the conditions have; owned */
	struct strv words; /* for people: "umask 0077"; owned */
	bool reversed; /* the recipe's files are made in reverse order, in another directory */
};
/* As they are: only the epoch is the image's. */
void audit_surroundings_plain(const struct audited *audited, struct audit_surroundings *ret);
/* As different as this host allows; words say how, and why not more. need: bytes that a file system
 * in memory would have to hold. */
void audit_surroundings_varied(const struct remote *remote, const struct audited *audited,
			       uint64_t need, struct audit_surroundings *ret);
void audit_surroundings_release(struct audit_surroundings *s); /* usable with CLEANUP */

struct audit_rebuild {
	struct remote *remote;
	const struct audited *audited;
	const struct rebuild_place *place;
	const char *name; /* of the directory in the place that is made for it: "a", "b" */
	const char *step; /* "STAGE/STEP" that alone is to run, others' layers are brought along;
			     NULL: all run */
};
/* The image lies in ret_layout ("oci:DIR", caller frees) then. -VARVE_E_STEP and others: what the
 * build failed with, after its own messages. */
int audit_rebuild(const struct audit_rebuild *rebuild, struct audit_surroundings *surroundings,
		  struct varve_digest *ret_digest, char **ret_layout, struct varve_error *err);

#endif
