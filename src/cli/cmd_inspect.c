/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/remote.h"

static void print(const struct cli *cli, const struct image *image)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const char *name = cli->arguments.items[0];

	if (cli->values.json) {
		CLEANUP(json_decrefp) json_t *document = image_inspect_json(image, name);

		json_canonical(document, &text);
		buf_addc(&text, '\n');
	} else {
		image_print(image, name, &text);
	}
	fputs(buf_text(&text), stdout);
}

/* Of an image in a registry only manifest and config are fetched. */
static int open_remote(struct remote *remote, struct cli *cli, struct image *ret,
		       struct varve_error *err)
{
	CLEANUP(endpoint_release) struct endpoint from = {0};
	struct varve_descriptor manifest;
	int r = endpoint_parse(cli->arguments.items[0], &from, err);

	if (r == 0)
		r = remote_open(remote, cli, false, err);
	if (r == 0)
		r = remote_platform(remote, cli, err);
	if (r == 0)
		r = copy_look(&remote->copy, &from, &manifest, err);
	if (r < 0)
		return r;
	progress_free(remote->session.progress);
	remote->session.progress = NULL;
	return image_open_manifest(remote->session.store, &manifest, ret, err);
}

int cmd_inspect(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(image_release) struct image image = {0};
	const char *name = cli->arguments.items[0];
	int r;

	if (str_starts(name, "docker://")) {
		r = open_remote(&remote, cli, &image, err);
	} else {
		r = session_open_store(&remote.session, cli, err);
		if (r == 0)
			r = image_open(remote.session.store, name, &image, err);
	}
	if (r == 0)
		print(cli, &image);
	return r;
}
