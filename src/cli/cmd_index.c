/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "cli/cli_options.h"
#include "cli/session.h"

int cmd_index(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(json_decrefp) json_t *document = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const char *name = cli->arguments.items[0];
	char digest[VARVE_DIGEST_TEXT];
	struct varve_descriptor index;
	int r = image_name_check(name, err);

	if (r == 0)
		r = session_open_store(&session, cli, err);
	if (r == 0)
		r = image_write_index(session.store, name,
				      (const char *const *)cli->arguments.items + 1,
				      cli->arguments.count - 1, &index, err);
	if (r < 0)
		return r;
	if (!cli->values.json) {
		printf("%s %s\n", varve_digest_text(&index.digest, digest), name);
		return 0;
	}
	document = descriptor_to_json(&index);
	json_set(document, "name", json_text(name));
	json_canonical(document, &text);
	puts(buf_text(&text));
	return 0;
}
