/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/remote.h"

int cmd_copy(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(endpoint_release) struct endpoint from = {0};
	CLEANUP(endpoint_release) struct endpoint to = {0};
	int r = endpoint_parse(cli->arguments.items[0], &from, err);

	if (r == 0)
		r = endpoint_parse(cli->arguments.items[1], &to, err);
	if (r == 0)
		r = remote_open(&remote, cli, to.kind == ENDPOINT_REGISTRY, err);
	if (r == 0)
		r = remote_platform(&remote, cli, err);
	return r < 0 ? r : remote_copy(&remote, &from, &to, 1, err);
}
