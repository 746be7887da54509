/* SPDX-License-Identifier: Apache-2.0
 * The report of a build: its time line, its images, what they were made of. */
#ifndef CLI_BUILD_REPORT_H
#define CLI_BUILD_REPORT_H

#include "cli/session.h"
#include "cli/timeline.h"

/* manifests: one per image of the plan; NULL: the build failed for the reason failure. */
int build_report_write(struct session *session, const struct timeline *timeline,
		       const struct varve_descriptor *manifests, const char *failure,
		       struct varve_error *err);

#endif
