/* SPDX-License-Identifier: Apache-2.0
 * The report of an audit: what differs between an image and its rebuilds, and what is in it. */
#ifndef CLI_AUDIT_REPORT_H
#define CLI_AUDIT_REPORT_H

#include "cli/remote.h"

/* image: as the user wrote it. Sections as in report_page.h. */
int audit_report_write(struct remote *remote, const char *image, json_t *take_differences,
		       json_t *take_provenance, struct varve_error *err);

#endif
