/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SESSION_JOBS_H
#define CLI_SESSION_JOBS_H

#include "cli/session.h"

/* Settles "auto" of the steps that are to be made, and tells what memory cannot bear. */
void session_settle_jobs(struct session *session);

#endif
