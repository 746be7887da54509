/* SPDX-License-Identifier: Apache-2.0
 * Whether the disk of the store has room for a build, said before the first download. */
#ifndef CLI_SESSION_SPACE_H
#define CLI_SESSION_SPACE_H

#include "cli/session.h"

/* Artifacts that are still to be fetched have to fit (-VARVE_E_HOST); that what is made of them may
 * not is told as a notice. */
int session_check_space(struct session *session, struct varve_error *err);

#endif
