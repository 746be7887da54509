/* SPDX-License-Identifier: Apache-2.0
 * Where steps work and layers lie unpacked when it is not the store: a scratch directory of this
 * machine, by name (--scratch, VARVE_SCRATCH, the setting "scratch") or, where the store's file
 * system cannot hold what overlayfs needs, the first of SLURM_TMPDIR, TMPDIR and /var/tmp that
 * can. */
#ifndef CLI_SESSION_SCRATCH_H
#define CLI_SESSION_SCRATCH_H

#include "cli/session.h"

/* Uses the named one. "none": never any. "$NAME" and "$NAME/REST": what the environment says.
 * With --executor slurm the option is for the jobs, and not looked at here. */
int session_use_scratch(struct session *session, struct varve_error *err);
/* Whether one may be chosen: none is named, and the file system is what commands want for. */
struct sandbox_tried;
bool session_may_choose_scratch(const struct session *session, const struct sandbox_tried *tried);
/* Uses the next candidate from *at on, which goes up; false: there is none any more, and the store
 * serves itself. */
bool session_next_scratch(struct session *session, size_t *at);
/* Says, once, which was chosen and why. */
void session_tell_scratch(struct session *session, const char *why);

#endif
