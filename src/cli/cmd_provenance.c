/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "audit/attestation.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/opened_subject.h"
#include "cli/written_file.h"

static int find(struct cli *cli, json_t **ret, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(opened_subject_release) struct opened_subject subject = OPENED_SUBJECT_INIT;
	int r = remote_open(&remote, cli, false, err);

	/* Of several images one is meant. */
	if (r == 0 && !cli->values.platform)
		cli->values.platform = xstrdup(session_host_platform());
	if (r == 0)
		r = opened_subject_open(&remote, cli, false, &subject, err);
	if (r < 0)
		return r;
	r = attestation_find_statement(&subject.end, &subject.self.digest, PREDICATE_PROVENANCE,
				       ret, err);
	if (r == -VARVE_E_NOT_FOUND)
		varve_error_hint(err,
				 "varve build keeps it in the store, and --attest sends it along");
	return r;
}

int cmd_provenance(struct cli *cli, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *statement = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const struct strv *outputs = &cli->values.outputs;
	int r = outputs->count > 1
			? varve_error_set(err, -VARVE_E_USAGE, "--output: one file is enough")
			: find(cli, &statement, err);

	if (r < 0)
		return r;
	json_canonical(statement, &text);
	buf_addc(&text, '\n');
	if (outputs->count == 1)
		return written_file(outputs->items[0], &text, err);
	fputs(buf_text(&text), stdout);
	return 0;
}
