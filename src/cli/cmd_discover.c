/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "audit/attestation_tree.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/opened_subject.h"

int cmd_discover(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(opened_subject_release) struct opened_subject subject = OPENED_SUBJECT_INIT;
	CLEANUP(json_decrefp) json_t *tree = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = remote_open(&remote, cli, false, err);

	if (r == 0)
		r = opened_subject_open(&remote, cli, false, &subject, err);
	if (r == 0)
		r = attestation_tree(&subject.end, &subject.self, &tree, err);
	if (r < 0)
		return r;
	progress_free(remote.session.progress);
	remote.session.progress = NULL;
	if (cli->values.json) {
		json_canonical(tree, &text);
		buf_addc(&text, '\n');
	} else {
		attestation_tree_print(tree, cli->arguments.items[0], &text);
	}
	fputs(buf_text(&text), stdout);
	return 0;
}
