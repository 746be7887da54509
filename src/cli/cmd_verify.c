/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "audit/image_verify.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/opened_image.h"

static void print(const struct cli *cli, const struct verify_rows *rows)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (cli->values.json)
		verify_rows_print_json(rows, &text);
	else
		verify_rows_print(rows, &text);
	fputs(buf_text(&text), stdout);
}

/* Documents that are not what they should be are a finding, not a failure of the command. */
static int verify(struct remote *remote, const char *text, struct verify_rows *rows,
		  struct varve_error *err)
{
	CLEANUP(opened_image_release)
	struct opened_image image = {.source.layout = IMAGE_LAYOUT_INIT};
	int r = opened_image_open(remote, text, &image, err);

	if (r == -VARVE_E_DIGEST || r == -VARVE_E_FORMAT) {
		verify_rows_add(rows, "documents", err->text);
		return 0;
	}
	if (r < 0)
		return r;
	verify_rows_add(rows, "documents", NULL);
	image_verify(&image.side, rows);
	return 0;
}

int cmd_verify(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(verify_rows_release) struct verify_rows rows = {0};
	int r = remote_open(&remote, cli, false, err);

	verify_rows_init(&rows);
	if (r == 0)
		r = remote_platform(&remote, cli, err);
	if (r == 0)
		r = verify(&remote, cli->arguments.items[0], &rows, err);
	if (r < 0)
		return r;
	progress_free(remote.session.progress);
	remote.session.progress = NULL;
	print(cli, &rows);
	cli->status = rows.failed ? cli_exit_code(-VARVE_E_COMPARE) : 0;
	return 0;
}
