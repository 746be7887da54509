/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "audit/index_diff.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/opened_image.h"

static void print(const struct cli *cli, const struct differences *all)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (cli->values.json)
		differences_print_json(all, &text);
	else
		differences_print(all, &text);
	fputs(buf_text(&text), stdout);
}

static int compare(const struct cli *cli, const struct remote *remote, struct opened_image *a,
		   struct opened_image *b, struct differences *all, struct varve_error *err)
{
	const struct index_side left = {&a->source.place, cli->arguments.items[0], &a->source.root},
				right = {&b->source.place, cli->arguments.items[1],
					 &b->source.root};

	return index_diff(remote->session.store, &left, &right, all, err);
}

int cmd_diff(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(opened_image_release) struct opened_image a = {.source.layout = IMAGE_LAYOUT_INIT};
	CLEANUP(opened_image_release) struct opened_image b = {.source.layout = IMAGE_LAYOUT_INIT};
	CLEANUP(differences_release) struct differences all = {0};
	int r = remote_open(&remote, cli, false, err);

	differences_init(&all, cli->values.semantic);
	if (r == 0)
		r = remote_platform(&remote, cli, err);
	if (r == 0)
		r = opened_image_locate(&remote, cli->arguments.items[0], &a, err);
	if (r == 0)
		r = opened_image_locate(&remote, cli->arguments.items[1], &b, err);
	if (r == 0)
		r = compare(cli, &remote, &a, &b, &all, err);
	if (r < 0)
		return r;
	progress_free(remote.session.progress);
	remote.session.progress = NULL;
	print(cli, &all);
	cli->status = json_array_size(all.list) ? cli_exit_code(-VARVE_E_COMPARE) : 0;
	return 0;
}
