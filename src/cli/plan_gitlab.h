/* SPDX-License-Identifier: Apache-2.0
 * plan --format gitlab: the plan as a child pipeline, one job per step that misses. It takes no
 * executor of ours: GitLab starts, waits and logs, each job runs `varve step run`. */
#ifndef CLI_PLAN_GITLAB_H
#define CLI_PLAN_GITLAB_H

#include "cli/session.h"

/* plan: the file that jobs read, as --ship wrote it. YAML whose scalars are all JSON strings. */
void plan_gitlab(const struct session *session, const char *plan, struct buf *ret);

#endif
