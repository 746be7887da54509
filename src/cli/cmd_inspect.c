/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/session.h"

int cmd_inspect(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(image_release) struct image image = {0};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const char *name = cli->arguments.items[0];
	int r;

	r = session_open_store(&session, cli, err);
	if (r == 0)
		r = image_open(session.store, name, &image, err);
	if (r < 0)
		return r;
	if (cli->values.json) {
		CLEANUP(json_decrefp) json_t *document = image_inspect_json(&image, name);

		json_canonical(document, &text);
		buf_addc(&text, '\n');
	} else {
		image_print(&image, name, &text);
	}
	fputs(buf_text(&text), stdout);
	return 0;
}
