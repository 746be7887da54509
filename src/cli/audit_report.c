/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/audit_report.h"

#include "audit/sbom.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/opened_image.h"
#include "cli/report_page.h"

static int add_image(struct remote *remote, const char *image, struct report_page *page,
		     struct varve_error *err)
{
	CLEANUP(opened_image_release)
	struct opened_image opened = {.source.layout = IMAGE_LAYOUT_INIT};
	CLEANUP(sbom_release) struct sbom sbom = {0};
	json_t *images = json_array();
	int r = opened_image_open(remote, image, &opened, err);

	report_page_set(page, "images", images);
	if (r == 0)
		r = sbom_read(remote->session.store, &opened.side, image, false, &sbom, err);
	if (r == 0)
		json_append(images, report_image(&sbom));
	return r;
}

int audit_report_write(struct remote *remote, const char *image, json_t *take_differences,
		       json_t *take_provenance, struct varve_error *err)
{
	CLEANUP(report_page_release) struct report_page page = {NULL};
	CLEANUP(free_ptr) char *title = xasprintf("audit of %s", image);
	int r;

	report_page_init(&page, title, "rebuilt from its own provenance, and compared");
	report_page_set(&page, "differences", take_differences);
	report_page_set(&page, "provenance", take_provenance);
	r = add_image(remote, image, &page, err);
	if (r == 0)
		r = report_page_write(&page, remote->session.cli->values.report, err);
	if (r < 0)
		varve_error_prefix(err, "report");
	return r;
}
