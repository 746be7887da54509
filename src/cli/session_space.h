/* SPDX-License-Identifier: Apache-2.0
 * Whether the disks of the store and of the scratch directory have room for a build, said before
 * the first download and step. */
#ifndef CLI_SESSION_SPACE_H
#define CLI_SESSION_SPACE_H

#include "cli/session.h"

/* What a build will put on the store's disk at its peak, in bytes: artifacts that are still to be
 * fetched, then the tree and the blob of each layer that is to be made. A step that was built
 * before is taken to make as much again; what another makes follows from what it takes in; of a
 * command that has never run nothing is known. */
struct session_space {
	uint64_t fetch;
	uint64_t least; /* made for certain */
	uint64_t make; /* made, probably */
	uint64_t least_trees, make_trees; /* of these: what a scratch directory would take */
};
void session_predict_space(struct session *session, struct session_space *ret);
/* "disk: 1.2 GB to fetch, about 3.4 GB to make", with a newline; nothing where that is nothing. */
void session_print_space(const struct session_space *space, struct buf *out);
json_t *session_space_to_json(const struct session_space *space); /* owned by the caller */

/* makes: the steps are to run, not only their sources to be fetched.
 * -VARVE_E_HOST with the figures where the least does not fit; that what is probable does not is
 * told as a notice. */
int session_check_space(struct session *session, bool makes, struct varve_error *err);

#endif
