/* SPDX-License-Identifier: Apache-2.0
 * What an image is rebuilt from: its own attestation, a bundle, or a recipe that the user names.
 *
 *	audited_find (statement) -> audited_unpack (recipe, options, blobs) -> audited_check */
#ifndef CLI_AUDITED_H
#define CLI_AUDITED_H

#include "audit/provenance.h"
#include "cli/opened_subject.h"

struct audited {
	json_t *statement; /* what the image says of itself; NULL: nothing; owned */
	struct provenance provenance; /* of that */
	char *recipe; /* path of the recipe to build; owned */
	struct strv settings; /* NAME=VALUE: what is attested, then what the user gave */
	struct strv arguments; /* --image, --platform, ...: further options of the build */
	char *epoch; /* SOURCE_DATE_EPOCH=N or SOURCE_DATE_EPOCH=, as for the environment; owned */
	struct varve_digest *blobs; /* of the session's store, for the build; owned */
	size_t count, alloc;
	bool complete; /* nothing else is needed: the build can be offline */
	bool foreign; /* the recipe came with the image: nobody here has read it */
};
void audited_release(struct audited *audited); /* usable with CLEANUP */

/* Looks where the image is, then in the store. None is no error where the user says what to build
 * from. */
int audited_find(struct remote *remote, const struct opened_subject *subject, struct audited *ret,
		 struct varve_error *err);
/* Makes directory (absent so far) with the recipe, but for one that the user names.
 * -VARVE_E_NOT_FOUND says what is missing and what to give. */
int audited_unpack(struct remote *remote, const struct opened_subject *subject,
		   const char *directory, struct audited *audited, struct varve_error *err);
/* Of a recipe that nobody here has read: refuses local sources outside of the directory, and
 * (unless the user allows it) steps with a network. */
int audited_check(struct remote *remote, const char *directory, const struct audited *audited,
		  struct varve_error *err);

#endif
