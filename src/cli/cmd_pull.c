/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/remote.h"

static int pull_one(struct remote *remote, const char *text, struct varve_error *err)
{
	CLEANUP(endpoint_release) struct endpoint from = {.kind = ENDPOINT_REGISTRY};
	CLEANUP(endpoint_release) struct endpoint to = {.kind = ENDPOINT_STORE};
	int r = reference_parse(text, &from.reference, err);

	if (r < 0)
		return r;
	to.name = reference_text(&from.reference);
	if (!from.reference.tag && varve_digest_is_none(&from.reference.digest)) {
		free(to.name);
		from.reference.tag = xstrdup("latest");
		to.name = reference_text(&from.reference);
	}
	return remote_copy(remote, &from, &to, 1, err);
}

int cmd_pull(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	int r = remote_open(&remote, cli, false, err);

	if (r == 0)
		r = remote_platform(&remote, cli, err);
	return r < 0 ? r : pull_one(&remote, cli->arguments.items[0], err);
}
