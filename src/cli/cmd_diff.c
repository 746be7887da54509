/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "audit/image_diff.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/remote.h"
#include "registry/copy_source.h"

/* One argument: where it is, and the image that it names. */
struct opened {
	struct endpoint endpoint;
	struct copy_source source;
	struct image_side side;
};

static void opened_release(struct opened *o)
{
	image_side_release(&o->side);
	copy_source_release(&o->source);
	endpoint_release(&o->endpoint);
}

/* A name without a transport is one of the store, as for varve inspect. */
static int parse(const char *text, struct endpoint *ret, struct varve_error *err)
{
	static const char *const transports[] = {
		"docker://", "oci:", "oci-archive:", "dir:", "docker-archive:", "store:"};
	CLEANUP(free_ptr) char *name = xasprintf("store:%s", text);

	for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
		if (str_starts(text, transports[i]))
			return endpoint_parse(text, ret, err);
	return endpoint_parse(name, ret, err);
}

static int open_image(struct remote *remote, const char *text, struct opened *o,
		      struct varve_error *err)
{
	struct place landing;
	int r = parse(text, &o->endpoint, err);

	if (r < 0)
		return r;
	place_of_store(&landing, remote->session.store, remote->uploads);
	r = copy_source_open(&remote->copy, &o->endpoint, &landing, false, &o->source, err);
	if (r == 0)
		r = image_side_open(&o->source.place, text, &o->source.root, &o->side, err);
	place_release(&landing);
	return r;
}

static void print(const struct cli *cli, const struct differences *all)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (cli->values.json)
		differences_print_json(all, &text);
	else
		differences_print(all, &text);
	fputs(buf_text(&text), stdout);
}

int cmd_diff(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(opened_release) struct opened a = {.source.layout = IMAGE_LAYOUT_INIT};
	CLEANUP(opened_release) struct opened b = {.source.layout = IMAGE_LAYOUT_INIT};
	CLEANUP(differences_release) struct differences all = {0};
	int r = remote_open(&remote, cli, false, err);

	differences_init(&all, cli->values.semantic);
	if (r == 0)
		r = remote_platform(&remote, cli, err);
	if (r == 0)
		r = open_image(&remote, cli->arguments.items[0], &a, err);
	if (r == 0)
		r = open_image(&remote, cli->arguments.items[1], &b, err);
	if (r == 0)
		r = image_diff(remote.session.store, &a.side, &b.side, &all, err);
	if (r < 0)
		return r;
	progress_free(remote.session.progress);
	remote.session.progress = NULL;
	print(cli, &all);
	cli->status = json_array_size(all.list) ? cli_exit_code(-VARVE_E_COMPARE) : 0;
	return 0;
}
