/* SPDX-License-Identifier: Apache-2.0
 * What a build told, kept for a report while it is passed on to the view. */
#ifndef CLI_TIMELINE_H
#define CLI_TIMELINE_H

#include <varve/report.h>
#include "base/json.h"

struct timeline {
	struct varve_report report; /* to be given to the build; its cookie is the timeline */
	const struct varve_report *next; /* borrowed; NULL: nobody */
	int64_t start; /* ms of the monotonic clock */
	json_t *steps, *fetches, *notices; /* arrays as report_page.h says; owned */
	json_t *step_names, *fetch_names; /* name -> its row, of which there is one; owned */
};

void timeline_begin(struct timeline *timeline, const struct varve_report *next);
void timeline_release(struct timeline *timeline); /* usable with CLEANUP */

#endif
